// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel

extension KernelBackend {
    /// Something that an operator should know but that is not a report.
    public enum Notice: Hashable, Sendable, CustomStringConvertible {
        case uninspectable(call: CriticalCall, processID: Int32, name: String, wasDenied: Bool)
        case unattributable(call: CriticalCall, processID: Int32, name: String, wasDenied: Bool)
        case signalFailed(processID: Int32)
        /// An earlier agent, of a version with another event format, left unread reports.
        case unreadable(reports: Int)
        /// There was no room for marks.
        case marksWithoutRoom(count: UInt64)
        /// There was room for marks again, and all processes were looked at anew.
        case marksRecovered
        /// Pins that an earlier agent left can't be removed. Its program judges no calls.
        case leftOver(reason: String)

        public var description: String {
            switch self {
            case .uninspectable(let call, let process, let name, let wasDenied):
                "\(call.rawValue) of process \(process) (\(name)) was \(wasDenied ? "denied" : "let through"): "
                    + "it could not be inspected"
            case .unattributable(let call, let process, let name, let wasDenied):
                "\(call.rawValue) of process \(process) (\(name)) was \(wasDenied ? "denied" : "let through"): "
                    + "an io_uring worker made it, for a process with unbacked executable memory"
            case .signalFailed(let process):
                "process \(process) could not be signalled: it has ended"
            case .unreadable(let reports):
                "\(reports) reports that an earlier version of the agent left can't be read by this one: they are lost"
            case .marksWithoutRoom(let count):
                "there was no room for \(count) marks of processes with unbacked executable memory: some other processes are inspected, "
                    + "too, until processes have ended"
            case .marksRecovered:
                "there is room for marks again: only processes with unbacked executable memory are inspected"
            case .leftOver(let reason):
                "\(reason). It judges no calls, but stays attached"
            }
        }
    }
}
