// SPDX-License-Identifier: Apache-2.0

import CSeccomp
import EpitopeModel
import ProcessInspection
import Testing

@testable import SeccompBackend

@Suite struct CallFilterTests {
    /// Runs a program as the kernel does; `nil` when it leaves its bounds or has an unknown instruction.
    static func run(
        _ program: [CallFilter.Instruction] = CallFilter.criticalCalls.instructions, architecture: UInt32, number: UInt32,
        firstArgument: UInt32 = 0, arguments: [UInt32] = []
    ) -> UInt32? {
        var data: [UInt32: UInt32] = [0: number, 4: architecture, 16: firstArgument]
        for (index, argument) in arguments.enumerated() { data[16 + 8 * UInt32(index)] = argument }
        var accumulator: UInt32 = 0
        var counter = 0
        while program.indices.contains(counter) {
            let instruction = program[counter]
            counter += 1
            let jumps: Bool
            switch instruction.code {
            case 0x20:
                // The other halves and arguments are zero.
                guard instruction.operand < 64 else { return nil }
                accumulator = data[instruction.operand] ?? 0
                continue
            case 0x05:
                counter += Int(instruction.operand)
                continue
            case 0x54:
                accumulator &= instruction.operand
                continue
            case 0x25: jumps = accumulator > instruction.operand
            case 0x45: jumps = accumulator & instruction.operand != 0
            case 0x15: jumps = accumulator == instruction.operand
            case 0x35: jumps = accumulator >= instruction.operand
            case 0x06: return instruction.operand
            default: return nil
            }
            counter += Int(jumps ? instruction.ifTrue : instruction.ifFalse)
        }
        return nil
    }

    @Test(arguments: SystemCallInterface.allCases) func `exactly the critical calls are notified`(_ interface: SystemCallInterface) {
        let critical = Set(interface.numbers.map(\.number) + [425])
        for number in UInt32(0)..<1000 where !(interface == .i386 && number == SystemCallInterface.socketcall) {
            let outcome = Self.run(architecture: interface.auditArchitecture, number: number)
            #expect(outcome == (critical.contains(number) ? 0x7FC0_0000 : 0x7FFF_0000), "number \(number)")
        }
    }

    @Test func `socketcall is notified for the subcalls that matter`() {
        let critical = Set(SystemCallInterface.socketcalls.map(\.number))
        for subcall in UInt32(0)..<30 {
            let outcome = Self.run(architecture: 0x4000_0003, number: 102, arguments: [subcall])
            #expect(outcome == (critical.contains(subcall) ? 0x7FC0_0000 : 0x7FFF_0000), "subcall \(subcall)")
        }
    }

    @Test func `of what is notified only other socketcalls go on unseen`() {
        func isOther(_ architecture: UInt32, _ number: Int32, _ argument: UInt64) -> Bool {
            var notification = epitope_notification()
            notification.audit_architecture = architecture
            notification.number = number
            notification.arguments.0 = argument
            return PendingCall.isOtherSocketcall(notification)
        }
        let critical = Set(SystemCallInterface.socketcalls.map { UInt64($0.number) })
        for subcall in UInt64(0)..<30 { #expect(isOther(0x4000_0003, 102, subcall) == !critical.contains(subcall)) }
        #expect(!isOther(0xC000_003E, 102, 1) && !isOther(0x4000_0003, 3, 1) && !isOther(0xC000_00B7, 102, 1))
    }

    @Test(arguments: SystemCallInterface.allCases) func `no process puts another file in the place of its program`(
        _ interface: SystemCallInterface
    ) {
        for filter in [CallFilter.criticalCalls, .guardedCalls] {
            for option in UInt32(0)..<80 {
                for request in UInt32(0)..<20 {
                    let outcome = Self.run(
                        filter.instructions, architecture: interface.auditArchitecture, number: interface == .x86_64 ? 157 : 172,
                        arguments: [option, request])
                    let isReplacement = option == 35 && (request == 13 || request == 14)
                    #expect(outcome == (isReplacement ? 0x0005_0001 : 0x7FFF_0000), "option \(option), request \(request)")
                }
            }
        }
    }

    /// What it would type, the shell would execute that started the command.
    @Test(arguments: SystemCallInterface.allCases) func `a command does not type into its terminal`(_ interface: SystemCallInterface) {
        let number: UInt32 = interface == .x86_64 ? 16 : 54
        for request in [UInt32(0x5412), 0x541C, 0x5413, 0x5401, 0x5411, 0] {
            func outcome(_ filter: CallFilter) -> UInt32? {
                Self.run(filter.instructions, architecture: interface.auditArchitecture, number: number, arguments: [1, request])
            }
            #expect(outcome(.guardedCalls) == (request == 0x5412 || request == 0x541C ? 0x0005_0001 : 0x7FFF_0000))
            #expect(outcome(.criticalCalls) == 0x7FFF_0000)
        }
    }

    @Test func `x 32 calls and unknown interfaces fail as missing calls`() {
        #expect(Self.run(architecture: 0xC000_003E, number: 0x4000_0000 | 520) == 0x0005_0026)
        #expect(Self.run(architecture: 0xC000_003E, number: .max) == 0x0005_0026)
        #expect(Self.run(architecture: 0xC000_00B7, number: 59) == 0x0005_0026)
    }

    @Test func `every critical call is there for both interfaces`() {
        // The others are calls on any descriptor: a filter can't tell sockets, the kernel backend can.
        let atEveryFilter = Set(CriticalCall.allCases).subtracting([
            .write, .writev, .sendfile, .splice, .ioUringEnter, .ptrace, .processVMWritev, .pidfdGetfd, .openMemory,
        ])
        #expect(Set(SystemCallInterface.x86_64.numbers.map(\.call)) == atEveryFilter)
        let with32Bits = SystemCallInterface.i386.numbers.map(\.call) + SystemCallInterface.socketcalls.map(\.call)
        #expect(Set(with32Bits) == atEveryFilter)
        let intrusions = Set(CriticalCall.allCases.filter { $0.family == .intrude })
        for interface in SystemCallInterface.allCases { #expect(Set(interface.intrusions.map(\.call)) == intrusions) }
    }
}
