// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import KernelBackend

/// The level that a kernel supports, and what is suggested for a better one.
@Suite struct KernelSupportTests {
    @Test func `the better level is named`() {
        let without = KernelSupport(activeModules: "lockdown,capability,yama\n", supportsFmodRet: { false })
        #expect(without.level == .tracepoints)
        #expect(without.remedy == "boot with lsm=lockdown,capability,yama,bpf on the kernel's command line")
        let between = KernelSupport(activeModules: "lockdown,capability,yama\n", supportsFmodRet: { true })
        #expect(between.level == .fmodRet)
        #expect(between.remedy == without.remedy)
        let with = KernelSupport(activeModules: "lockdown,capability,bpf", supportsFmodRet: { false })
        #expect(with.level == .hooks)
        #expect(with.remedy == nil)
        #expect(KernelSupport(activeModules: nil, supportsFmodRet: { false }).level == .tracepoints)
    }
}
