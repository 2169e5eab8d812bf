// SPDX-License-Identifier: Apache-2.0

import EpitopeModel

extension ExtractedPacket {
    /// The packet with texts and lists clipped to the bounds of the schema, and without optional values that are not of the
    /// schema's form.
    var withinBounds: ExtractedPacket {
        var packet = self
        packet.evidence = evidence.prefix(Bounds.evidence).map { Evidence(kind: $0.kind, detail: $0.detail.clipped(to: Bounds.detail)) }
        packet.parameters = parameters.withinBounds
        return packet
    }
}

extension Parameters {
    fileprivate var withinBounds: Parameters {
        var parameters = self
        parameters.arguments.peer = arguments.peer?.withinBounds
        parameters.arguments.local = arguments.local?.withinBounds
        parameters.arguments.path = arguments.path?.clipped(to: Bounds.path)
        parameters.arguments.arguments = arguments.arguments?.prefix(Bounds.arguments).map { $0.clipped(to: Bounds.argument) }
        switch region.backing {
        case .image(let path): parameters.region.backing = .image(path: path.clipped(to: Bounds.path))
        case .memoryFile(let name): parameters.region.backing = .memoryFile(name: name.clipped(to: Bounds.path))
        case .writtenImagePage(let path): parameters.region.backing = .writtenImagePage(path: path.clipped(to: Bounds.path))
        case .writtenFile(let path): parameters.region.backing = .writtenFile(path: path.clipped(to: Bounds.path))
        case .kernel, .anonymous, .stack, .heap: break
        }
        parameters.process = process.withinBounds
        parameters.system = system.withinBounds
        parameters.timeMilliseconds = min(max(0, timeMilliseconds), Bounds.latestMilliseconds)
        return parameters
    }
}

extension ProcessParameters {
    fileprivate var withinBounds: ProcessParameters {
        var process = self
        process.name = name?.clipped(to: Bounds.name)
        process.userName = userName?.clipped(to: Bounds.name)
        process.containerID = containerID.flatMap { Wire.isHex($0, digits: 64) ? $0 : nil }
        process.container = container?.withinBounds
        if let executable {
            process.executable = Executable(
                path: executable.path.clipped(to: Bounds.path),
                sha256: executable.sha256.flatMap { Wire.isHex($0, digits: 64) ? $0 : nil },
                package: executable.package?.clipped(to: Bounds.name),
                packageVersion: executable.packageVersion?.clipped(to: Bounds.name))
        }
        process.parents = parents.prefix(Bounds.parents).map { parent in
            Parent(
                processID: parent.processID, name: parent.name?.clipped(to: Bounds.name),
                executablePath: parent.executablePath?.clipped(to: Bounds.ancestorPath))
        }
        process.listening = listening.prefix(Bounds.sockets).map { BoundSocket(transport: $0.transport, local: $0.local.withinBounds) }
        process.connected = connected.prefix(Bounds.sockets).map {
            ConnectedSocket(
                transport: $0.transport, local: $0.local.withinBounds, peer: $0.peer.withinBounds, wasAccepted: $0.wasAccepted)
        }
        return process
    }
}

extension SocketEndpoint {
    fileprivate var withinBounds: SocketEndpoint {
        SocketEndpoint(address: address.clipped(to: Bounds.address), port: port)
    }
}

extension SystemParameters {
    fileprivate var withinBounds: SystemParameters {
        SystemParameters(
            hostName: hostName?.clipped(to: Bounds.name),
            hostID: hostID.flatMap { Identity.isValidName($0) ? $0 : nil },
            kernelRelease: kernelRelease?.clipped(to: Bounds.name),
            distribution: distribution?.clipped(to: Bounds.name),
            distributionVersion: distributionVersion?.clipped(to: Bounds.name),
            libcVersion: libcVersion?.clipped(to: Bounds.name),
            libcPackageVersion: libcPackageVersion?.clipped(to: Bounds.name),
            kernelPackageVersion: kernelPackageVersion?.clipped(to: Bounds.name),
            kernelBuild: kernelBuild?.clipped(to: Bounds.name),
            lastUpdateMilliseconds: lastUpdateMilliseconds.map { min(max(0, $0), Bounds.latestMilliseconds) },
            microcodeRevision: microcodeRevision?.clipped(to: Bounds.name),
            bootParameters: bootParameters?.prefix(Bounds.bootParameters).map { $0.clipped(to: Bounds.bootParameter) })
    }
}
