// SPDX-License-Identifier: Apache-2.0

import EpitopeModel

extension ProcessParameters {
    init(_ wire: Epitope_V1_ProcessParameters) throws(EpitopeError) {
        self.init(
            processID: wire.processID, threadID: wire.threadID,
            name: wire.hasName ? try Wire.text(wire.name, "process.name", max: Bounds.name) : nil,
            executable: wire.hasExecutable ? try Executable(wire.executable) : nil,
            userID: wire.hasUserID ? wire.userID : nil,
            userName: wire.hasUserName ? try Wire.text(wire.userName, "process.user_name", max: Bounds.name) : nil,
            containerID: wire.hasContainerID ? try Wire.hex(wire.containerID, "process.container_id", digits: 64) : nil,
            container: wire.hasContainer ? try ContainerParameters(wire.container) : nil)
        try Wire.count(wire.parents.count, "process.parents", max: Bounds.parents)
        for parent in wire.parents { parents.append(try Parent(parent)) }
        try Wire.count(wire.listening.count, "process.listening", max: Bounds.sockets)
        for socket in wire.listening {
            listening.append(
                BoundSocket(
                    transport: try Wire.known(TransportProtocol(socket.transport), "process.listening.transport"),
                    local: try SocketEndpoint(socket.local, "process.listening.local")))
        }
        try Wire.count(wire.connected.count, "process.connected", max: Bounds.sockets)
        for socket in wire.connected {
            connected.append(
                ConnectedSocket(
                    transport: try Wire.known(TransportProtocol(socket.transport), "process.connected.transport"),
                    local: try SocketEndpoint(socket.local, "process.connected.local"),
                    peer: try SocketEndpoint(socket.peer, "process.connected.peer"),
                    wasAccepted: socket.hasAccepted ? socket.accepted : nil))
        }
    }

    var wire: Epitope_V1_ProcessParameters {
        var wire = Epitope_V1_ProcessParameters()
        wire.processID = processID
        wire.threadID = threadID
        if let name { wire.name = name }
        if let executable { wire.executable = executable.wire }
        wire.parents = parents.map(\.wire)
        if let userID { wire.userID = userID }
        if let userName { wire.userName = userName }
        if let containerID { wire.containerID = containerID }
        if let container { wire.container = container.wire }
        wire.listening = listening.map { socket in
            var wire = Epitope_V1_BoundSocket()
            wire.transport = socket.transport.wire
            wire.local = socket.local.wire
            return wire
        }
        wire.connected = connected.map { socket in
            var wire = Epitope_V1_ConnectedSocket()
            wire.transport = socket.transport.wire
            wire.local = socket.local.wire
            wire.peer = socket.peer.wire
            if let wasAccepted = socket.wasAccepted { wire.accepted = wasAccepted }
            return wire
        }
        return wire
    }
}

extension ProcessParameters.Parent {
    init(_ wire: Epitope_V1_Parent) throws(EpitopeError) {
        self.init(
            processID: wire.processID,
            name: wire.hasName ? try Wire.text(wire.name, "process.parents.name", max: Bounds.name) : nil,
            executablePath: wire.hasExecutablePath
                ? try Wire.text(wire.executablePath, "process.parents.executable_path", max: Bounds.ancestorPath) : nil)
    }

    var wire: Epitope_V1_Parent {
        var wire = Epitope_V1_Parent()
        wire.processID = processID
        if let name { wire.name = name }
        if let executablePath { wire.executablePath = executablePath }
        return wire
    }
}

extension Executable {
    init(_ wire: Epitope_V1_Executable) throws(EpitopeError) {
        self.init(
            path: try Wire.text(wire.path, "process.executable.path", max: Bounds.path),
            sha256: wire.hasSha256 ? try Wire.hex(wire.sha256, "process.executable.sha256", digits: 64) : nil,
            package: wire.hasPackage ? try Wire.text(wire.package, "process.executable.package", max: Bounds.name) : nil,
            packageVersion: wire.hasPackageVersion
                ? try Wire.text(wire.packageVersion, "process.executable.package_version", max: Bounds.name) : nil)
    }

    var wire: Epitope_V1_Executable {
        var wire = Epitope_V1_Executable()
        wire.path = path
        if let sha256 { wire.sha256 = sha256 }
        if let package { wire.package = package }
        if let packageVersion { wire.packageVersion = packageVersion }
        return wire
    }
}
