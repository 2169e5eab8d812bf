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

    private let place: Place
    private var detection: HostEvent?
    private var made: [String: HostEvent] = [:]

    public init(_ place: Place) { self.place = place }

    /// Takes the events of a log in their order.
    ///
    /// - Returns: the paragraph, and the detection that it is about, once it is known what becomes of it.
    public mutating func paragraph(after event: HostEvent) -> (detection: HostEvent, text: String)? {
        switch event.event {
        case .blocked, .watched:
            detection = event
            return nil
        case .packetMade:
            if made.count >= Self.maxFollowed { made.removeAll() }
            if let packet = event.packet { made[packet] = event }
            return nil
        case .spooled, .duplicate, .overQuota, .givenUp, .spoolFull, .failed:
            // A packet that was made by another run, and had waited, is not told again.
            let about = event.packet.map { made.removeValue(forKey: $0) } ?? (event.event == .givenUp ? nil : detection)
            guard let about else { return nil }
            return (about, text(about, outcome: event))
        case .packageFound, .sent, .refused, .unreachable, .stopped, .uninspectable, .otherProcess, .suppressed, .lost, .toldCounts,
            .renewed, .renewalFailed, .identityChanged, .impaired:
            return nil
        }
    }

    private func text(_ detection: HostEvent, outcome: HostEvent) -> String {
        var sentences = ["\(answer(detection)): \(detection.callInWords), by \(detection.programInWords)."]
        sentences.append("Why: \(detection.evidenceInWords).")
        sentences.append(fate(detection, outcome))
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

    /// What became of the code.
    private func fate(_ detection: HostEvent, _ outcome: HostEvent) -> String {
        let code = detection.codeBytes.map { "its code (\($0) bytes)" } ?? "its code"
        let message = (outcome.message ?? "").printable
        switch outcome.event {
        case .spooled:
            let packet = "Packet \((outcome.packet ?? "").printable) with \(code)"
            let enrolled = place.destinations.filter { place.centers[$0] != nil }
            guard !enrolled.isEmpty else {
                return "\(packet) waits in \(place.directory): this host is not enrolled (epitope enroll)."
            }
            return "\(packet) goes to " + enrolled.map { "the \($0) center \(place.centers[$0] ?? "")" }.joined(separator: " and ") + "."
        case .duplicate: return "Nothing is sent: the same was reported before (packet \((outcome.of ?? "").printable))."
        case .overQuota: return "Nothing is sent now: the quota of packets is used up\(message.isEmpty ? "" : ": \(message)")."
        case .givenUp: return "Nothing is sent: the quota is used up, and the packets that wait for it weigh more."
        case .spoolFull: return "Nothing is sent: \(message)."
        default: return "Nothing is sent: \(message) [\((outcome.code ?? "").printable)]."
        }
    }
}
