// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
public import Signatures

/// The message of a rule, which a person reads in an alert.
public enum RuleMessage {
    /// In characters. Longer messages are truncated, so that a message never makes a rule too long.
    public static let maxLength = 200

    /// The default message of a signature's rule.
    public static func standard(for signature: Signature) -> String {
        // The id first where there is much traffic to name: long messages are cut off.
        let traffic = signature.context.parts.map(traffic).filter { !$0.isEmpty }
        let text = traffic.joined(separator: " or")
        return text.utf8.count <= maxLength / 2
            ? "Epitope malicious code\(text), signature \(signature.id)" : "Epitope malicious code, signature \(signature.id),\(text)"
    }

    /// Such as " at service tcp 80,443".
    private static func traffic(_ part: SignatureContext) -> String {
        let ports = part.ports.map(String.init).joined(separator: ",")
        let place = part.buffer.map { " in \($0.rawValue)" } ?? ""
        return switch (part.transport, part.direction) {
        case (.tcp?, .toService), (.udp?, .toService): " at service \(part.transport?.rawValue ?? "") \(ports)\(place)"
        case (.tcp?, .fromPeer), (.udp?, .fromPeer): " from peer \(part.transport?.rawValue ?? "") \(ports)\(place)"
        default: place
        }
    }

    /// Printable ASCII, truncated to ``maxLength``: control characters become spaces, other characters question marks.
    public static func printable(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars.prefix(maxLength) {
            switch scalar.value {
            case 0..<32, 127: result.append(" ")
            case 32..<127: result.unicodeScalars.append(scalar)
            default: result.append("?")
            }
        }
        return result
    }

    /// Adds a backslash before each character that has a meaning in the rule language.
    static func escape(_ text: String) -> String {
        var result = ""
        for character in text {
            if "\\\";:".contains(character) { result.append("\\") }
            result.append(character)
        }
        return result
    }
}
