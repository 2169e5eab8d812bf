// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
public import Signatures

/// The message of a rule: what a person reads in an alert.
public enum RuleMessage {
    /// In characters; longer messages are cut, so that a message never decides whether a rule fits.
    public static let largestLength = 200

    /// What a rule says of its signature when nobody gave it words.
    public static func standard(for signature: Signature) -> String {
        let context = signature.context
        let ports = context.ports.map(String.init).joined(separator: ",")
        let service =
            switch (context.transport, context.direction) {
            case (.tcp?, .toService), (.udp?, .toService): " at service \(context.transport?.rawValue ?? "") \(ports)"
            case (.tcp?, .fromPeer), (.udp?, .fromPeer): " from peer \(context.transport?.rawValue ?? "") \(ports)"
            default: ""
            }
        return "Epitope malicious code\(service), signature \(signature.id)"
    }

    /// Printable ASCII, cut to length: control characters become spaces, everything beyond ASCII a question mark.
    public static func printable(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars.prefix(largestLength) {
            switch scalar.value {
            case 0..<32, 127: result.append(" ")
            case 32..<127: result.unicodeScalars.append(scalar)
            default: result.append("?")
            }
        }
        return result
    }

    /// A backslash before each of the characters that the rule language gives a meaning.
    static func escape(_ text: String) -> String {
        var result = ""
        for character in text {
            if "\\\";:".contains(character) { result.append("\\") }
            result.append(character)
        }
        return result
    }
}
