// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel

extension SeccompBackend {
    /// Counted from the start on.
    public struct Statistics: Hashable, Sendable {
        /// Critical calls that were stalled.
        public var notified: UInt64 = 0
        /// Calls that failed with EPERM, by the verdict or by ``Policy/uninspectable``.
        public var denied: UInt64 = 0
        /// Reports not made because the same caller had been reported just before, or too many came at once. The calls were
        /// answered.
        public var suppressed: UInt64 = 0
        /// Reports that the stream's bounded buffer had no room for.
        public var dropped: UInt64 = 0
        /// Calls of processes that could not be inspected.
        public var uninspectable: UInt64 = 0
        /// Calls whose inspection hung, in memory or files that never answered. They count as uninspectable, too.
        public var abandoned: UInt64 = 0
        /// Denied calls whose code was overwritten in the process.
        public var cut: UInt64 = 0
        /// Denied calls whose code should have been overwritten, and is there still, at least in part (``EpitopeModel/CodeCut``).
        public var cutFailed: UInt64 = 0
        /// Processes that could not be stopped or killed. Their calls were denied.
        public var signalFailed: UInt64 = 0
    }

    /// Something that the operator should know, other than a report.
    public enum Notice: Hashable, Sendable, CustomStringConvertible {
        case uninspectable(call: CriticalCall, threadID: Int32, reason: String, wasDenied: Bool)
        /// A call of the command reached into a process outside of it; `target` is `nil` where it may be one of several.
        case otherProcess(call: CriticalCall, processID: Int32, target: Int32?, wasDenied: Bool)

        /// Whether the call was denied.
        public var wasDenied: Bool {
            switch self {
            case .uninspectable(_, _, _, let wasDenied), .otherProcess(_, _, _, let wasDenied): wasDenied
            }
        }

        /// The call that it is about.
        public var call: CriticalCall {
            switch self {
            case .uninspectable(let call, _, _, _), .otherProcess(let call, _, _, _): call
            }
        }

        public var description: String {
            switch self {
            case .uninspectable(let call, let threadID, let reason, let wasDenied):
                "\(call.rawValue) of thread \(threadID) was \(wasDenied ? "denied" : "let through"): "
                    + "the process could not be inspected (\(reason))"
            case .otherProcess(let call, let processID, let target, let wasDenied):
                "\(Self.action(of: call)) \(target.map { "process \($0)" } ?? "another process") by process \(processID) was "
                    + "\(wasDenied ? "denied" : "let through"): it is no process of the command"
            }
        }

        private static func action(of call: CriticalCall) -> String {
            call == .openMemory ? "opening the memory of" : "\(call.rawValue) of"
        }
    }
}
