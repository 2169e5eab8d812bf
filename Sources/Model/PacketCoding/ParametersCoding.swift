// SPDX-License-Identifier: Apache-2.0

import EpitopeModel

extension Parameters {
    init(_ wire: Epitope_V1_Parameters) throws(EpitopeError) {
        self.init(
            call: try Wire.known(CriticalCall(wire.call), "parameters.call"),
            arguments: try CallArguments(wire.arguments),
            region: try MemoryRegion(wire.region),
            process: try ProcessParameters(wire.process),
            system: try SystemParameters(wire.system),
            timeMilliseconds: try Wire.milliseconds(wire.timeMilliseconds, "parameters.time_milliseconds"))
    }

    var wire: Epitope_V1_Parameters {
        var wire = Epitope_V1_Parameters()
        wire.call = call.wire
        wire.arguments = arguments.wire
        wire.region = region.wire
        wire.process = process.wire
        wire.system = system.wire
        wire.timeMilliseconds = timeMilliseconds
        return wire
    }
}

extension CallArguments {
    init(_ wire: Epitope_V1_CallArguments) throws(EpitopeError) {
        self.init(
            peer: wire.hasPeer ? try SocketEndpoint(wire.peer, "arguments.peer") : nil,
            local: wire.hasLocal ? try SocketEndpoint(wire.local, "arguments.local") : nil,
            transport: try TransportProtocol.optional(wire.transport, "arguments.transport"),
            path: wire.hasPath ? try Wire.text(wire.path, "arguments.path", max: Bounds.path) : nil,
            payloadLength: wire.hasPayloadLength ? wire.payloadLength : nil)
        guard wire.hasArguments else { return }
        try Wire.count(wire.arguments.texts.count, "arguments.arguments", max: Bounds.arguments)
        for text in wire.arguments.texts { _ = try Wire.text(text, "arguments.arguments", max: Bounds.argument) }
        arguments = wire.arguments.texts
    }

    var wire: Epitope_V1_CallArguments {
        var wire = Epitope_V1_CallArguments()
        if let peer { wire.peer = peer.wire }
        if let local { wire.local = local.wire }
        if let transport { wire.transport = transport.wire }
        if let path { wire.path = path }
        if let arguments { wire.arguments.texts = arguments }
        if let payloadLength { wire.payloadLength = payloadLength }
        return wire
    }
}

extension SocketEndpoint {
    init(_ wire: Epitope_V1_SocketEndpoint, _ field: String) throws(EpitopeError) {
        self.init(
            address: try Wire.text(wire.address, "\(field).address", max: Bounds.address),
            port: try Wire.port(wire.port, "\(field).port"))
    }

    var wire: Epitope_V1_SocketEndpoint {
        var wire = Epitope_V1_SocketEndpoint()
        wire.address = address
        wire.port = UInt32(port)
        return wire
    }
}

extension MemoryRegion {
    init(_ wire: Epitope_V1_MemoryRegion) throws(EpitopeError) {
        guard wire.end > wire.start else { throw .malformed("region", "ends at or before its start") }
        guard wire.protection < 16 else { throw .malformed("region.protection", "is \(wire.protection), not a sum of 1, 2, 4, 8") }
        let name = try Wire.text(wire.backingName, "region.backing_name", max: Bounds.path)
        let backing: MemoryBacking? =
            switch wire.backing {
            case .image: .image(path: name)
            case .kernel: .kernel
            case .anonymous: .anonymous
            case .stack: .stack
            case .heap: .heap
            case .memoryFile: .memoryFile(name: name)
            case .writtenImagePage: .writtenImagePage(path: name)
            case .writtenFile: .writtenFile(path: name)
            case .unspecified, .UNRECOGNIZED: nil
            }
        self.init(
            start: wire.start, end: wire.end, protection: MemoryProtection(rawValue: UInt8(wire.protection)),
            backing: try Wire.known(backing, "region.backing"))
    }

    var wire: Epitope_V1_MemoryRegion {
        var wire = Epitope_V1_MemoryRegion()
        wire.start = start
        wire.end = end
        wire.protection = UInt32(protection.rawValue)
        switch backing {
        case .image(let path): (wire.backing, wire.backingName) = (.image, path)
        case .kernel: wire.backing = .kernel
        case .anonymous: wire.backing = .anonymous
        case .stack: wire.backing = .stack
        case .heap: wire.backing = .heap
        case .memoryFile(let name): (wire.backing, wire.backingName) = (.memoryFile, name)
        case .writtenImagePage(let path): (wire.backing, wire.backingName) = (.writtenImagePage, path)
        case .writtenFile(let path): (wire.backing, wire.backingName) = (.writtenFile, path)
        }
        return wire
    }
}

extension SystemParameters {
    init(_ wire: Epitope_V1_SystemParameters) throws(EpitopeError) {
        self.init(
            hostName: wire.hasHostName ? try Wire.text(wire.hostName, "system.host_name", max: Bounds.name) : nil,
            hostID: wire.hasHostID ? try Wire.identityName(wire.hostID, "system.host_id") : nil,
            kernelRelease: wire.hasKernelRelease ? try Wire.text(wire.kernelRelease, "system.kernel_release", max: Bounds.name) : nil,
            distribution: wire.hasDistribution ? try Wire.text(wire.distribution, "system.distribution", max: Bounds.name) : nil,
            distributionVersion: wire.hasDistributionVersion
                ? try Wire.text(wire.distributionVersion, "system.distribution_version", max: Bounds.name) : nil,
            libcVersion: wire.hasLibcVersion ? try Wire.text(wire.libcVersion, "system.libc_version", max: Bounds.name) : nil,
            libcPackageVersion: wire.hasLibcPackageVersion
                ? try Wire.text(wire.libcPackageVersion, "system.libc_package_version", max: Bounds.name) : nil,
            kernelPackageVersion: wire.hasKernelPackageVersion
                ? try Wire.text(wire.kernelPackageVersion, "system.kernel_package_version", max: Bounds.name) : nil,
            kernelBuild: wire.hasKernelBuild ? try Wire.text(wire.kernelBuild, "system.kernel_build", max: Bounds.name) : nil,
            lastUpdateMilliseconds: wire.hasLastUpdateMilliseconds
                ? try Wire.milliseconds(wire.lastUpdateMilliseconds, "system.last_update_milliseconds") : nil,
            microcodeRevision: wire.hasMicrocodeRevision
                ? try Wire.text(wire.microcodeRevision, "system.microcode_revision", max: Bounds.name) : nil)
        guard wire.hasBootParameters else { return }
        try Wire.count(wire.bootParameters.texts.count, "system.boot_parameters", max: Bounds.bootParameters)
        for text in wire.bootParameters.texts { _ = try Wire.text(text, "system.boot_parameters", max: Bounds.bootParameter) }
        bootParameters = wire.bootParameters.texts
    }

    var wire: Epitope_V1_SystemParameters {
        var wire = Epitope_V1_SystemParameters()
        if let hostName { wire.hostName = hostName }
        if let hostID { wire.hostID = hostID }
        if let kernelRelease { wire.kernelRelease = kernelRelease }
        if let distribution { wire.distribution = distribution }
        if let distributionVersion { wire.distributionVersion = distributionVersion }
        if let libcVersion { wire.libcVersion = libcVersion }
        if let libcPackageVersion { wire.libcPackageVersion = libcPackageVersion }
        if let kernelPackageVersion { wire.kernelPackageVersion = kernelPackageVersion }
        if let kernelBuild { wire.kernelBuild = kernelBuild }
        if let lastUpdateMilliseconds { wire.lastUpdateMilliseconds = lastUpdateMilliseconds }
        if let microcodeRevision { wire.microcodeRevision = microcodeRevision }
        if let bootParameters { wire.bootParameters.texts = bootParameters }
        return wire
    }
}
