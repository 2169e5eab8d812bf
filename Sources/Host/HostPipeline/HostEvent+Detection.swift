// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel

extension HostEvent {
    /// The event of a detection: `blocked`, or `watched` where the call was allowed.
    ///
    /// - Parameter process: the detection's process, with what is known of it by now.
    public init(_ detection: Detection, process: ProcessParameters? = nil, time: EventTime) {
        let process = process ?? detection.process
        self.init(detection.action == .watched ? .watched : .blocked, time: time)
        stalledTime = EventTime(milliseconds: detection.timeMilliseconds)
        action = detection.action.rawValue
        call = detection.call.rawValue
        target = detection.arguments.target
        processID = process.processID
        processName = process.name
        executable = process.executable?.path
        sha256 = process.executable?.sha256
        package = process.executable?.package
        packageVersion = process.executable?.packageVersion
        userID = process.userID
        user = process.userName
        container = process.containerID ?? process.container?.name
        callersAddress = "0x" + String(detection.callersAddress, radix: 16)
        evidence = detection.evidence.map(\.kind.rawValue)
        points = detection.points
        detail = detection.evidence.first?.detail
        markedFor = detection.markedFor.isEmpty ? nil : detection.markedFor.map(\.rawValue)
        codeBytes = detection.code.bytes.count
        cut = detection.cut?.name
    }

    /// The event of the packet that was made of a detection.
    init(packet: String, of detection: Detection, process: ProcessParameters, time: EventTime) {
        self.init(detection, process: process, time: time)
        event = .packetMade
        self.packet = packet
    }

    /// The event of a package that was found after the packet of its program was made.
    init(package: String, version: String?, of process: ProcessParameters, packet: String, time: EventTime) {
        self.init(.packageFound, time: time, packet: packet)
        processID = process.processID
        processName = process.name
        executable = process.executable?.path
        self.package = package
        packageVersion = version
    }

    /// The event of an error.
    init(_ event: Name, _ error: EpitopeError, time: EventTime, packet: String? = nil) {
        self.init(event, time: time, packet: packet)
        code = error.code.rawValue
        message = error.message
    }

    /// The points of a kind of its evidence, as far as the event says: those of the strongest by the policy of then, else the usual ones.
    func points(of kind: EvidenceKind) -> Int { kind.rawValue == evidence?.first ? points ?? kind.defaultWeight : kind.defaultWeight }

    /// Whether it is of a critical call that gave enough evidence for a report.
    public var isDetection: Bool { event == .blocked || event == .watched }
}

extension CallArguments {
    /// What a call is for: the program of an exec-like call, the peer of a connect or send, the own address of a bind.
    fileprivate var target: String? {
        if let path { return path }
        guard let end = peer ?? local else { return nil }
        // The path or the name of a UNIX socket.
        if end.address.isEmpty || end.address.hasPrefix("/") || end.address.hasPrefix("@") { return end.address }
        return end.address.contains(":") ? "[\(end.address)]:\(end.port)" : "\(end.address):\(end.port)"
    }
}
