// SPDX-License-Identifier: Apache-2.0

import CKernelProgram
import Testing

@testable import KernelBackend

/// The kernel's side and this one must mean the same bytes.
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

    @Test func `the better level is named`() {
        let without = KernelSupport(activeModules: "lockdown,capability,yama\n", canDecideFunctions: { false })
        #expect(without.level == .tracepoints)
        #expect(without.remedy == "boot with lsm=lockdown,capability,yama,bpf on the kernel's command line")
        let between = KernelSupport(activeModules: "lockdown,capability,yama\n", canDecideFunctions: { true })
        #expect(between.level == .functions)
        #expect(between.remedy == without.remedy)
        let with = KernelSupport(activeModules: "lockdown,capability,bpf", canDecideFunctions: { false })
        #expect(with.level == .hooks)
        #expect(with.remedy == nil)
        #expect(KernelSupport(activeModules: nil, canDecideFunctions: { false }).level == .tracepoints)
    }

    /// Room is given back up to the first report that nobody has done with.
    @Test func `room is given back in order`() {
        var pending = PendingEvents()
        #expect(pending.settle(callsDone: 0) == nil)
        pending.add(10, call: nil)
        pending.add(20, call: 0)
        pending.add(30, call: nil)
        pending.add(40, call: 1)
        pending.add(50, call: nil)
        #expect(pending.settle(callsDone: 0) == 10)
        #expect(pending.settle(callsDone: 0) == nil)
        #expect(pending.settle(callsDone: 1) == 30)
        #expect(!pending.isEmpty)
        #expect(pending.settle(callsDone: 2) == 50)
        #expect(pending.isEmpty)
    }
}
