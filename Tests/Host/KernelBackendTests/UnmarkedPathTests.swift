// SPDX-License-Identifier: Apache-2.0

import KernelWatch
import ProgramTrace
import TestSupport
import Testing

@testable import KernelBackend

/// The cost of a process without unbacked executable memory, in instructions: a change that raises it fails here.
@Suite struct UnmarkedPathTests {
    @Test(.enabled(if: Kernel.canLoad, Kernel.why)) func `an unmarked process costs no lookup and few instructions`() throws {
        let watch = try #require(Watch.shared)
        let (program, classes) = watch.backend.instructions
        let path = try UnmarkedPath(of: program, classes: classes)
        #expect(path.critical.result == 0 && path.other.result == 0)
        print("instructions on the unmarked path: \(path.critical.executed) of a critical call, \(path.other.executed) of any other")
        #expect(path.critical.executed <= 56, "the filter of marks, and what finds the call's class and the address space")
        // bpf_get_current_task_btf. The filter spares the lookup of the mark.
        #expect(path.critical.calls <= 1)
        #expect(path.other.executed <= 24)
        #expect(path.other.calls <= 1)
    }

    @Test func `instructions are counted`() throws {
        // r0 = 5; r0 += 7; if r0 == 12 skip one; r0 = 1; exit
        let program: [UInt64] = [0x5_0000_00B7, 0x7_0000_0007, 0xC_0001_0015, 0x1_0000_00B7, 0x95]
        let trace = try InstructionTrace(of: program, context: 0) { _, _ in 0 }
        #expect(trace.executed == 4)
        #expect(trace.result == 12)
        // *(u64 *)(r10 - 8) = r1; r0 = *(u64 *)(r10 - 8); r0 <<= 4 in 32 bits; exit
        let stack: [UInt64] = [0xFFF8_1A7B, 0xFFF8_A079, 0x4_0000_0064, 0x95]
        #expect(try InstructionTrace(of: stack, context: 0x1_1000_0001) { _, _ in 0 }.result == 0x10)
        #expect(throws: InstructionTrace.Failure.endless) { try InstructionTrace(of: [0xFFFF_0005], context: 0) { _, _ in 0 } }
        #expect(throws: InstructionTrace.Failure.outside(1)) { try InstructionTrace(of: [0xB7], context: 0) { _, _ in 0 } }
    }
}
