// SPDX-License-Identifier: Apache-2.0

import Testing

@testable import AgentLifeCycle

/// Capabilities by need, and with the kernel's numbers.
@Suite struct CapabilitiesTests {
    @Test func `rights are kept by need`() {
        #expect("\(Capabilities.afterLoading(kernelRelease: "6.1.0-40-cloud-amd64"))" == "CAP_DAC_READ_SEARCH CAP_KILL CAP_SYS_PTRACE")
        #expect(Capabilities.afterLoading(kernelRelease: "10.2") == Capabilities.afterLoading(kernelRelease: "6.0.0"))
        // Before Linux 6.0, the bpf call itself needs a right, even for a map that is open.
        #expect(Capabilities.afterLoading(kernelRelease: "5.19.17").contains(.bpf))
        #expect(Capabilities.afterLoading(kernelRelease: "").contains(.bpf))
        #expect(Capabilities.afterLoading(kernelRelease: "6.1").isDisjoint(with: .whileLoading))
        #expect(Capabilities.afterLoading(kernelRelease: "6.1", cutsCode: true).intersection(.whileLoading) == .followMappedFiles)
        #expect("\(Capabilities(rawValue: 1 << 21 | 1 << 5))" == "CAP_KILL 0x200000")
    }

    /// The kernel's numbers (linux/capability.h): a set that is off by one would be another right.
    @Test func `rights have the kernels numbers`() {
        let numbers: [(Capabilities, Int)] = [
            (.readAnyFile, 2), (.signal, 5), (.setCapabilities, 8), (.traceProcesses, 19), (.seeKernelAddresses, 34),
            (.measurePerformance, 38), (.bpf, 39), (.followMappedFiles, 40),
        ]
        for (right, number) in numbers { #expect(right.rawValue == 1 << number) }
    }
}
