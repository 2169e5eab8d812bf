// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
public import Signatures

/// A Suricata rule of the kind that Epitope writes, in its parts. ``text`` is what goes into the rules file.
///
/// For a signature of one token, seen at a UDP service on port 1434:
///
///     drop udp any any -> any [1434] (msg:"..."; content:"|04 90 01|"; fast_pattern; classtype:shellcode-detect;
///     metadata:epitope_signature 0123..., created_at 2026_11_23, expires_at 2027_02_21, origin site; sid:3900000; rev:1;)
public struct SuricataRule: Hashable, Sendable {
    /// What Suricata does with what the rule matches. `drop` needs an inline Suricata; a passive one only alerts.
    public enum Action: String, Hashable, Sendable, Codable, CaseIterable {
        case alert
        case drop
    }

    /// The protocol in the rule's header.
    public enum RuleProtocol: String, Hashable, Sendable, CaseIterable {
        case ip
        case tcp
        case udp
    }

    /// The state and direction of a TCP flow in which the rule applies: a complete handshake, and the side that sent.
    public enum Flow: String, Hashable, Sendable, CaseIterable {
        case established = "established"
        case toServer = "established,to_server"
        case toClient = "established,to_client"
    }

    /// The position of a content. Suricata counts `depth` from the offset and `within` from the distance, so both are the
    /// number of bytes that must contain the whole content.
    public enum Placement: Hashable, Sendable {
        case anywhere
        /// Counted from the start of the payload.
        case absolute(offset: Int, depth: Int?)
        /// Counted from the end of the previous content.
        case relative(distance: Int, within: Int?)
    }

    /// A `content` keyword with its modifiers.
    public struct Content: Hashable, Sendable {
        public var bytes: [UInt8]
        /// Whether Suricata searches for this content first. Exactly one content of a rule is.
        public var isFastPattern: Bool
        public var placement: Placement

        public init(bytes: [UInt8], isFastPattern: Bool, placement: Placement) {
            self.bytes = bytes
            self.isFastPattern = isFastPattern
            self.placement = placement
        }
    }

    /// The `metadata` keyword: where a rule came from, for people and tools that read rules.
    public struct Metadata: Hashable, Sendable {
        /// ``Signature/id``: 32 hexadecimal digits.
        public var signatureID: String
        public var created: CalendarDay
        public var expires: CalendarDay
        /// `site`, or `global-N` with the global center's number of the update.
        public var origin: String

        public init(signatureID: String, created: CalendarDay, expires: CalendarDay, origin: String) {
            self.signatureID = signatureID
            self.created = created
            self.expires = expires
            self.origin = origin
        }

        var text: String {
            "epitope_signature \(signatureID), created_at \(created.text(separator: "_")), expires_at \(expires.text(separator: "_")), origin \(origin)"
        }
    }

    /// In bytes: the longest rule. Suricata 7 splits a rules file into lines of this size.
    public static let maxLength = 8192
    /// In Suricata's default classification.config, with priority 1: "Executable code was detected".
    public static let classtype = "shellcode-detect"

    public var action: Action
    public var ruleProtocol: RuleProtocol
    /// Whom the traffic is to; empty for any.
    public var destinationAddresses: [IPAddress] = []
    /// Empty for any port.
    public var sourcePorts: [UInt16]
    public var destinationPorts: [UInt16]
    /// Printable ASCII, at most ``RuleMessage/maxLength`` characters.
    public var message: String
    public var flow: Flow?
    /// UDP only: the payload must have more bytes than this (`dsize:>N`); `nil` for any size.
    public var dsizeAbove: Int?
    /// What the contents are sought in; `nil` for the payload or stream.
    public var buffer: ProtocolBuffer?
    public var contents: [Content]
    public var metadata: Metadata
    public var sid: UInt32
    /// Which of the rules with this sid it is (`gid`), from 1, which is the default and not written.
    public var generator = 1
    public var revision: Int

    /// The rule as one line, without a line feed. All content is hexadecimal, so none of its bytes can end a string, a rule or
    /// a line.
    public var text: String { text(keyword: buffer?.suricataKeywords, modifier: nil) }

    /// - Parameters:
    ///   - keyword: names the buffer before the contents.
    ///   - modifier: names it behind each of them.
    func text(keyword: String?, modifier: String?) -> String {
        var options = ["msg:\"\(RuleMessage.escape(message))\""]
        if let flow { options.append("flow:\(flow.rawValue)") }
        if let dsizeAbove { options.append("dsize:>\(dsizeAbove)") }
        if let keyword { options.append(keyword) }
        for content in contents {
            options.append("content:\"|\(Self.hexadecimal(content.bytes))|\"")
            switch content.placement {
            case .anywhere: break
            case .absolute(let offset, let depth):
                options.append("offset:\(offset)")
                if let depth { options.append("depth:\(depth)") }
            case .relative(let distance, let within):
                options.append("distance:\(distance)")
                if let within { options.append("within:\(within)") }
            }
            if content.isFastPattern { options.append("fast_pattern") }
            if let modifier { options.append(modifier) }
        }
        options.append("metadata:\(metadata.text)")
        if generator != 1 { options.append("gid:\(generator)") }
        options.append("classtype:\(Self.classtype)")
        options.append("sid:\(sid)")
        options.append("rev:\(revision)")
        return "\(header) (\(options.joined(separator: "; "));)"
    }

    /// Whether a packet can hold so many copies of a content that Suricata tries no further before it comes to the right one
    /// (`inspection-recursion-limit`, 3,000 tries by default): where a content must lie at a bounded distance from the one
    /// before, each copy of that is a try. What Suricata sees of a stream at once is too short for it, a body is not.
    public var canBeOverrun: Bool {
        (ruleProtocol != .tcp || buffer != nil)
            && contents.contains {
                if case .relative(_, .some) = $0.placement { true } else { false }
            }
    }

    /// The part before the options.
    var header: String {
        "\(action.rawValue) \(ruleProtocol.rawValue) any \(Self.list(sourcePorts))"
            + " -> \(Self.list(destinationAddresses)) \(Self.list(destinationPorts))"
    }

    private static func list(_ values: [some CustomStringConvertible]) -> String {
        values.isEmpty ? "any" : "[\(values.map(\.description).joined(separator: ","))]"
    }

    /// Pairs of upper-case digits with spaces between them.
    static func hexadecimal(_ bytes: [UInt8]) -> String {
        bytes.map { byte in
            let digits = String(byte, radix: 16, uppercase: true)
            return byte < 16 ? "0\(digits)" : digits
        }.joined(separator: " ")
    }
}
