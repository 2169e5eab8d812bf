// SPDX-License-Identifier: Apache-2.0

import CSeccomp
import EpitopeModel
import ProcessInspection

/// A critical call that waits for its answer, as the notification states it.
struct PendingCall: Sendable {
    var id: UInt64
    var thread: Int32
    var interface: SystemCallInterface
    var call: CriticalCall
    /// As the call itself names them: what `socketcall` takes from memory is put here once it was read.
    var arguments: [UInt64]
    var instructionPointer: UInt64
    /// The memory that holds the arguments of a `socketcall`, and how many 32-bit words of it.
    var indirectArguments: (address: UInt64, count: Int)?

    /// `nil` for a call that is not critical, which the filter doesn't let through to here.
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
            call = subcall.call
            arguments = []
            indirectArguments = (values[1] & 0xFFFF_FFFF, subcall.argumentCount)
        } else {
            guard let call = interface.criticalCall(number: number) else { return nil }
            self.call = call
            arguments = values
        }
        id = notification.id
        thread = Int32(bitPattern: notification.thread)
        self.interface = interface
        instructionPointer = notification.instruction_pointer
    }
}

extension PendingCall {
    /// Whether it is a `socketcall` of the kind that isn't critical, which a container's profile may have notified as well.
    static func isOtherSocketcall(_ notification: epitope_notification) -> Bool {
        notification.audit_architecture == SystemCallInterface.i386.auditArchitecture
            && UInt32(bitPattern: notification.number) == SystemCallInterface.socketcall
            && PendingCall(notification) == nil
    }

    /// Reads the arguments of a `socketcall`, which lie in memory.
    mutating func readIndirectArguments() throws(InspectionFailure) {
        guard let indirectArguments else { return }
        arguments = ProcessMemory(thread: thread).words(
            indirectArguments.address, count: indirectArguments.count, size: 4)
        guard arguments.count == indirectArguments.count else {
            throw InspectionFailure(errno: 14 /* EFAULT */, reading: "arguments")
        }
    }
}
