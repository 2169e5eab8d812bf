// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel

extension SeccompBackend {
    /// Counted from the start on.
    public struct Statistics: Hashable, Sendable {
        /// Critical calls that were stalled.
        public var notified: UInt64 = 0
        /// Calls that failed with EPERM, by the verdict or by ``Policy/uninspectable``.
        public var denied: UInt64 = 0
        /// Reports not made because the same caller had been reported just before. The calls were answered.
        public var suppressed: UInt64 = 0
        /// Reports that the stream's bounded buffer had no room for.
        public var dropped: UInt64 = 0
        /// Calls of processes that could not be inspected.
        public var uninspectable: UInt64 = 0
        /// Cuts that the kernel carried out only in part, or not at all. The calls were denied.
        public var cutFailed: UInt64 = 0
        /// Processes that could not be stopped or killed. Their calls were denied.
        public var signalFailed: UInt64 = 0
    }

    /// Something that the operator should know, other than a report.
    public enum Notice: Hashable, Sendable, CustomStringConvertible {
        case uninspectable(call: CriticalCall, threadID: Int32, reason: String, wasDenied: Bool)

        public var description: String {
            switch self {
            case .uninspectable(let call, let threadID, let reason, let wasDenied):
                "\(call.rawValue) of thread \(threadID) was \(wasDenied ? "denied" : "let through"): "
                    + "the process could not be inspected (\(reason))"
            }
        }
    }
}
