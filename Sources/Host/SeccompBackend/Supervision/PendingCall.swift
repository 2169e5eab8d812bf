// SPDX-License-Identifier: Apache-2.0

import FileAccess
import CSeccomp
import EpitopeModel
import Glibc
import ProcessInspection

/// A critical call that waits for its answer, decoded from its notification.
struct PendingCall: Sendable {
    /// The notification's id, which the answer names.
    var id: UInt64
    var thread: Int32
    var interface: SystemCallInterface
    var number: UInt32
    var kind: CriticalCall
    /// The call's own arguments; for a `socketcall`, once ``readIndirectArguments()`` has read them from memory.
    var arguments: [UInt64]
    var instructionPointer: UInt64
    /// The memory that holds the arguments of a `socketcall`, and how many 32-bit words there are.
    var indirectArguments: (address: UInt64, count: Int)?

    /// `nil` for a call that isn't critical, which the filter doesn't notify.
    init?(_ notification: epitope_notification) {
        guard let interface = SystemCallInterface(auditArchitecture: notification.audit_architecture) else { return nil }
        let number = UInt32(bitPattern: notification.number)
        let values = withUnsafeBytes(of: notification.arguments) { Array($0.bindMemory(to: UInt64.self)) }
        if interface == .i386, number == SystemCallInterface.socketcall {
            guard
                let subcall = SystemCallInterface.socketcalls.first(where: {
                    $0.number == UInt32(truncatingIfNeeded: values[0])
                })
            else { return nil }
            kind = subcall.call
            arguments = []
            indirectArguments = (UInt64(UInt32(truncatingIfNeeded: values[1])), subcall.argumentCount)
        } else {
            guard let kind = interface.notifiedCall(number: number) else { return nil }
            self.kind = kind
            arguments = values
        }
        id = notification.id
        thread = Int32(bitPattern: notification.thread)
        self.interface = interface
        self.number = number
        instructionPointer = notification.instruction_pointer
    }
}

extension PendingCall {
    /// Whether a notification is of a `socketcall` that isn't critical. A container's profile may have all of them notified.
    static func isOtherSocketcall(_ notification: epitope_notification) -> Bool {
        notification.audit_architecture == SystemCallInterface.i386.auditArchitecture
            && UInt32(bitPattern: notification.number) == SystemCallInterface.socketcall
            && PendingCall(notification) == nil
    }

    /// Reads the arguments of a `socketcall` from memory.
    mutating func readIndirectArguments() throws(InspectionFailure) {
        guard let indirectArguments else { return }
        arguments = ProcessMemory(thread: thread).words(
            indirectArguments.address, count: indirectArguments.count, size: 4)
        guard arguments.count == indirectArguments.count else {
            throw InspectionFailure(errno: EFAULT, reading: "arguments")
        }
    }

    /// The process that the thread belongs to.
    var processID: Int32 { ProcFS.status(of: thread, "Tgid") ?? thread }
}
