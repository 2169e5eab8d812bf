// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
import Signatures

/// ClamAV's extended signatures (`.ndb`): one sequence, searched for in every file.
///
///     Epitope.Signature-0123...-1:0:*:01020304??0506{0-5}0708
public enum ClamAVExtendedRendering: SignatureRendering {
    public static func render(_ subject: RuleInput) throws(EpitopeError) -> String {
        let bodies = try ClamAVBody.bodies(of: subject.signature)
        guard let body = bodies.first, bodies.count == 1 else {
            throw RenderedRun.unrenderable(subject.signature, "ClamAV's extended signatures can't express a conjunction")
        }
        return "\(ClamAVBody.name(subject)):0:\(body.offset ?? "*"):\(body.text)"
    }

    public static func file(of subjects: [RuleInput]) throws(EpitopeError) -> String {
        ClamAVBody.file(try subjects.map { subject throws(EpitopeError) in try render(subject) }, ending: "ndb")
    }
}

/// ClamAV's logical signatures (`.ldb`): each token of a conjunction is a subsignature, and all must be found.
///
///     Epitope.Signature-0123...-1;Engine:81-255,Target:0;0&1;01020304;05060708
public enum ClamAVLogicalRendering: SignatureRendering {
    /// The most subsignatures of a logical signature (ClamAV's manual, "Logical signatures").
    static let maxSubsignatures = 64

    public static func render(_ subject: RuleInput) throws(EpitopeError) -> String {
        let bodies = try ClamAVBody.bodies(of: subject.signature)
        guard bodies.count <= maxSubsignatures else {
            throw RenderedRun.unrenderable(subject.signature, "ClamAV accepts at most \(maxSubsignatures) tokens of a conjunction")
        }
        let parts = bodies.map { body in (body.offset.map { "\($0):" } ?? "") + body.text }
        return "\(ClamAVBody.name(subject));\(block);\(expression(bodies.count));\(parts.joined(separator: ";"))"
    }

    public static func file(of subjects: [RuleInput]) throws(EpitopeError) -> String {
        ClamAVBody.file(try subjects.map { subject throws(EpitopeError) in try render(subject) }, ending: "ldb")
    }

    /// Functionality level 81 is ClamAV 0.99, the oldest version that still gets updates.
    static let block = "Engine:81-255,Target:0"

    /// Asks for every subsignature: `0&1&2`.
    static func expression(_ count: Int) -> String {
        (0..<count).map(String.init).joined(separator: "&")
    }
}

/// A hexadecimal signature of ClamAV.
struct ClamAVBody {
    /// `nil` for anywhere.
    var offset: String?
    var text: String

    /// ClamAV anchors every part of a signature between gaps at two fixed bytes in a row.
    static let minAnchorBytes = 2

    /// How many places of a part ClamAV remembers until it finds the next one (AC_DEFAULT_TRACKLEN).
    static let maxPlaces = 8

    /// ClamAV tells the language of a file by the end of its name alone.
    static func file(_ rules: [String], ending: String) -> String {
        (["# Save this in a file whose name ends in .\(ending): ClamAV tells by that how to read it."] + rules).joined(separator: "\n")
    }

    static func name(_ subject: RuleInput) -> String {
        "Epitope.Signature-\(subject.signature.id)-\(subject.revision)"
    }

    static func bodies(of signature: Signature) throws(EpitopeError) -> [ClamAVBody] {
        var bodies: [ClamAVBody] = []
        var anchor = 0
        var part: [UInt8?] = []
        func close() throws(EpitopeError) {
            guard anchor >= minAnchorBytes else {
                throw RenderedRun.unrenderable(signature, "ClamAV needs \(minAnchorBytes) fixed bytes in a row in every token")
            }
        }
        for run in try RenderedRun.runs(of: signature) {
            let text = Hex.encode(run.bytes)
            switch run.place {
            case .anywhere, .fromStart:
                if !bodies.isEmpty { try close() }
                anchor = run.bytes.count
                part = run.bytes
                bodies.append(ClamAVBody(offset: try offset(run.place, signature), text: text))
            case .after(let gap?) where gap.lowerBound == gap.upperBound && gap.lowerBound <= RenderedRun.maxTie:
                anchor = max(anchor, run.bytes.count)
                part += [UInt8?](repeating: nil, count: gap.lowerBound) + run.bytes
                bodies[bodies.count - 1].text += String(repeating: "??", count: gap.lowerBound) + text
            case .after(let gap):
                try close()
                // Whoever puts copies of a part behind the right one makes ClamAV forget that one.
                guard (gap?.lowerBound ?? 0) / leastShift(part) < maxPlaces else {
                    throw RenderedRun.unrenderable(
                        signature,
                        "ClamAV remembers \(maxPlaces) places of a token, and more fit into the \(gap?.lowerBound ?? 0) bytes behind one")
                }
                anchor = run.bytes.count
                part = run.bytes
                bodies[bodies.count - 1].text += jump(gap) + text
            }
        }
        try close()
        return bodies
    }

    /// In bytes: how near to one another two places of a part can be. `nil` stands for any byte.
    private static func leastShift(_ part: [UInt8?]) -> Int {
        (1..<max(part.count, 2)).first { shift in
            zip(part.dropFirst(shift), part).allSatisfy { $0 == nil || $1 == nil || $0 == $1 }
        } ?? part.count
    }

    private static func jump(_ gap: ClosedRange<Int>?) -> String {
        guard let gap, gap != 0...RenderedRun.endless else { return "*" }
        if gap.upperBound >= RenderedRun.endless { return "{\(gap.lowerBound)-}" }
        return gap.lowerBound == gap.upperBound ? "{\(gap.lowerBound)}" : "{\(gap.lowerBound)-\(gap.upperBound)}"
    }

    /// `n` or `n,shift`, where the shift is how much further the signature may begin.
    private static func offset(_ place: RenderedRun.Place, _ signature: Signature) throws(EpitopeError) -> String? {
        guard case .fromStart(let gap) = place else { return nil }
        guard gap.upperBound < RenderedRun.endless else {
            throw RenderedRun.unrenderable(signature, "ClamAV can't express a token anywhere after an offset")
        }
        return gap.lowerBound == gap.upperBound ? "\(gap.lowerBound)" : "\(gap.lowerBound),\(gap.upperBound - gap.lowerBound)"
    }
}
