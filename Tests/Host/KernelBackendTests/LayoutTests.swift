// SPDX-License-Identifier: Apache-2.0

import CKernelProgram
import EpitopeModel
import Testing

@testable import KernelBackend

/// The layouts that both compilers made of the shared headers must be the same.
@Suite struct LayoutTests {
    @Test func `every member lies where the kernel puts it`() {
        let object = LoadedProgram.object
        #expect(object.count > 10_000)
        var index = 0
        var type: UnsafePointer<CChar>?
        var member: UnsafePointer<CChar>?
        var own = epitope_layout()
        while epitope_own_layout(index, &type, &member, &own), let type, let member {
            var kernel = epitope_layout()
            let name = "\(String(cString: type)).\(String(cString: member))"
            #expect(epitope_kernel_layout(object, object.count, type, member, &kernel), "\(name) is not in the program")
            #expect(own.offset == kernel.offset && own.size == kernel.size, "\(name)")
            index += 1
        }
        #expect(index > 50)
        #expect(!epitope_kernel_layout(object, object.count, "epitope_event", "no_such_member", &own))
    }

    @Test func `the kernel program copies as much code as a packet carries`() {
        #expect(Int(EPITOPE_CODE_BYTES) == ExtractedPacket.maxCodeBytes)
    }
}

/// What the kernel program makes of page table entries without a page: a page on the move is not one that was written.
@Suite struct PageEntryTests {
    /// An entry of a type of swap, with a place.
    private static func entry(ofType type: UInt64) -> UInt64 { type << 59 | 0x1234 << 14 }

    @Test func `only a page that lies in a swap file was written for certain`() {
        #expect(epitope_written_without_page(0, 12) == 0, "nothing was there")
        #expect([0, 1, 19].map { epitope_written_without_page(Self.entry(ofType: $0), 12) } == [1, 1, 1])
        // On the move (compaction, NUMA), broken, on a device, or a marker of userfaultfd or a guard.
        #expect((20...31).map { epitope_written_without_page(Self.entry(ofType: $0), 12) } == Array(repeating: -1, count: 12))
        // The same of a large page can't be told apart.
        #expect([21, 30].map { epitope_written_without_page(Self.entry(ofType: 0), $0) } == [-1, -1])
    }
}
