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
