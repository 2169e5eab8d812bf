// SPDX-License-Identifier: Apache-2.0

import EpitopeModel

/// Tells a person of each detection in one paragraph: what was denied, which program and code, why, what was sent where, and how
/// to exclude it.
public struct DetectionNarrator: Sendable {
    /// Where packets go, as a person knows it.
    public struct Place: Hashable, Sendable {
        /// By the destination's name (``HostEvent/destination``): the center's address; destinations without one are not enrolled at.
        public var centers: [String: String]
        /// The destinations to which packets go.
        public var destinations: [String]
        /// The options that a command needs to find this host's state and policy, such as `--state /x`; empty for the defaults.
        public var options: [String]
        /// The state folder.
        public var directory: String

        public init(centers: [String: String], destinations: [String], options: [String], directory: String) {
            self.centers = centers
            self.destinations = destinations
            self.options = options
            self.directory = directory
        }
    }

    /// How many packets are followed from `packet-made` to their outcome: the pipeline has one at a time.
    private static let maxFollowed = 64

    /// For how long a paragraph waits to hear what became of its packet: a center that is there answers sooner.
    public static let maxWaitMilliseconds: Int64 = 2000

    /// A detection and what is told of it.
    public typealias Paragraph = (detection: HostEvent, text: String)

    /// A packet in the spool, and what is known of its way to each center.
    private struct Spooled {
        var detection: HostEvent
        /// What the link's budget left of it.
        var reduction: String?
        var packet: String
        var sinceMilliseconds: Int64
        var fates: [String: CenterReach.Fate]
    }

    private let place: Place
    private var detection: HostEvent?
    private var made: [String: HostEvent] = [:]
    private var reductions: [String: String] = [:]
    private var reaches: [String: CenterReach]
    /// In the order in which they were spooled.
    private var spooled: [Spooled] = []

    public init(_ place: Place) {
        self.place = place
        reaches = Dictionary(place.destinations.map { ($0, CenterReach(address: place.centers[$0])) }, uniquingKeysWith: { $1 })
    }

    /// Takes the events of a log in their order.
    ///
    /// - Returns: the paragraphs of the detections of which it is known now what becomes of them, each once.
    public mutating func paragraphs(after event: HostEvent) -> [Paragraph] {
        switch event.event {
        case .blocked, .watched:
            detection = event
            return []
        case .packetMade:
            if made.count >= Self.maxFollowed { made.removeAll() }
            if let packet = event.packet { made[packet] = event }
            return []
        case .reduced:
            if reductions.count >= Self.maxFollowed { reductions.removeAll() }
            if let packet = event.packet { reductions[packet] = event.message }
            return []
        case .spooled, .duplicate, .overQuota, .givenUp, .spoolFull, .failed:
            // A packet that was made by another run, and had waited, is not told again.
            let about = event.packet.map { made.removeValue(forKey: $0) } ?? (event.event == .givenUp ? nil : detection)
            guard let about else { return [] }
            guard event.event == .spooled else { return [(about, text(about, fate: fate(event)))] }
            let late = spooled.count >= Self.maxFollowed ? [tell(spooled.removeFirst())] : []
            spooled.append(
                Spooled(
                    detection: about, reduction: event.packet.flatMap { reductions.removeValue(forKey: $0) }, packet: event.packet ?? "",
                    sinceMilliseconds: event.time.milliseconds,
                    fates: reaches.compactMapValues(\.obstacle)))
            return late + tellDecided()
        case .sent, .refused, .unreachable, .stopped, .enrolled, .renewed, .identityChanged, .centersChanged, .authorityChanged:
            follow(event)
            return tellDecided()
        case .packageFound, .leftToCenter, .uninspectable, .otherProcess, .suppressed, .lost, .toldCounts, .renewalFailed,
            .impaired:
            return []
        }
    }

    /// The paragraphs that have waited too long for what becomes of their packets; at the end, all.
    public mutating func paragraphs(nowMilliseconds now: Int64, atEnd: Bool = false) -> [Paragraph] {
        tellAll { atEnd || now < $0.sinceMilliseconds || now - $0.sinceMilliseconds >= Self.maxWaitMilliseconds }
    }

    private mutating func follow(_ event: HostEvent) {
        guard let destination = event.destination, let fate = reaches[destination]?.take(event) else { return }
        // A packet's own fate is that packet's alone, and its last; that the center is away holds for all.
        for index in spooled.indices where !fate.isOfOne || spooled[index].packet == event.packet {
            if fate.isOfOne || spooled[index].fates[destination]?.isOfOne != true { spooled[index].fates[destination] = fate }
        }
    }

    private mutating func tellDecided() -> [Paragraph] {
        let centers = reaches.count
        return tellAll { $0.fates.count == centers }
    }

    private mutating func tellAll(where isDue: (Spooled) -> Bool) -> [Paragraph] {
        let due = spooled.filter(isDue)
        spooled.removeAll(where: isDue)
        return due.map(tell)
    }

    private func tell(_ spooled: Spooled) -> Paragraph {
        (spooled.detection, text(spooled.detection, fate: way(of: spooled)))
    }

    private func text(_ detection: HostEvent, fate: String) -> String {
        var sentences = ["\(answer(detection)): \(detection.callInWords), by \(detection.programInWords)."]
        sentences.append("Why: \(detection.evidenceInWords).")
        if let cut = detection.cutInWords { sentences.append(cut.prefix(1).uppercased() + cut.dropFirst() + ".") }
        sentences.append(fate)
        if let packet = detection.packet {
            let command = (["epitope policy exclude", String(packet.printable.prefix(12))] + place.options).joined(separator: " ")
            sentences.append("If the program does this by design: \(command)")
        }
        return sentences.joined(separator: " ")
    }

    private func answer(_ detection: HostEvent) -> String {
        let words = detection.answerInWords
        return detection.action == ProtectiveAction.watched.rawValue ? words : "\(words) (EPERM)"
    }

    /// What became of a packet that was put into the spool.
    private func way(of spooled: Spooled) -> String {
        let content: String =
            if let bytes = spooled.detection.signatureBytes {
                " with its signature (\(bytes) bytes), and none of its code,"
            } else if let reduction = spooled.reduction {
                ", of which beyond the link's budget \(reduction.printable),"
            } else {
                " with its code" + (spooled.detection.codeBytes.map { " (\($0) bytes)" } ?? "")
            }
        let packet = "Packet \(spooled.packet.printable)\(content)"
        if place.destinations.allSatisfy({ spooled.fates[$0] == .notEnrolled }) {
            return "\(packet) waits in \(place.directory): this host is not enrolled (epitope enroll)."
        }
        let ways = place.destinations.map { destination in
            let center = ["the \(destination) center", reaches[destination]?.address].compactMap(\.self).joined(separator: " ")
            return spooled.fates[destination]?.words(center, directory: place.directory) ?? "is on its way to \(center)"
        }
        return "\(packet) \(ways.joined(separator: "; it "))."
    }

    /// Why a packet was not put into the spool.
    private func fate(_ outcome: HostEvent) -> String {
        let message = (outcome.message ?? "").printable
        return switch outcome.event {
        case .duplicate: "Nothing is sent: the same was reported before (packet \((outcome.of ?? "").printable))."
        case .overQuota: "Nothing is sent now: the quota of packets is used up\(message.isEmpty ? "" : ": \(message)")."
        case .givenUp: "Nothing is sent: the quota is used up, and the packets that wait for it weigh more."
        case .spoolFull: "Nothing is sent: \(message)."
        case .failed where outcome.packet != nil:
            "It could not be stored here, and is sent from memory: \(message) [\((outcome.code ?? "").printable)]."
        default: "Nothing is sent: \(message) [\((outcome.code ?? "").printable)]."
        }
    }
}
