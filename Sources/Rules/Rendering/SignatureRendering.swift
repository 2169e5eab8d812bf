// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel

/// Writes signatures in one rule language.
public protocol SignatureRendering: Sendable {
    /// Whether its rules are about traffic and have numbers.
    static var hasNumbers: Bool { get }

    /// - Returns: a rule's text, without a line feed at its end.
    /// - Throws: ``EpitopeError/Code/signatureUnrenderable`` when the language cannot express the signature. A rule is
    ///   never rendered if it would match other data than its signature.
    static func render(_ subject: RuleInput) throws(EpitopeError) -> String

    /// - Returns: a file of rules that the engine reads, without a line feed at its end.
    /// - Throws: as ``render(_:)``.
    static func file(of subjects: [RuleInput]) throws(EpitopeError) -> String
}

extension SignatureRendering {
    public static var hasNumbers: Bool { false }

    /// One rule after the other.
    public static func file(of subjects: [RuleInput]) throws(EpitopeError) -> String {
        var rules: [String] = []
        for subject in subjects { rules.append(try render(subject)) }
        return rules.joined(separator: "\n")
    }
}
