// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
public import Signatures

/// The message of a rule, which a person reads in an alert.
public enum RuleMessage {
    /// In characters. Longer messages are truncated, so that a message never makes a rule too long.
    public static let maxLength = 200

    /// The default message of a signature's rule.
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
