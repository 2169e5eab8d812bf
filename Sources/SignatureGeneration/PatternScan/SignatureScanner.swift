// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
public import Signatures
internal import Synchronization

/// Seeks many signatures in much data: Hyperscan finds the most distinct fixed run of each, the signature's own
/// matching then decides.
///
/// What it answers is what `Signature.match(in:)` would, signature by signature; contexts are not looked at. Scans may
/// run on any number of threads at once: the plan and the database don't change, and each scan takes working memory of
/// its own from the pool.
public final class SignatureScanner: Sendable {
    /// What is sought; matches name them by index.
    public let signatures: [Signature]
    private let plan: ScanPlan
    /// `nil`: no signature has a literal.
    private let database: LiteralDatabase?
    private let pool = Mutex<[LiteralScratch]>([])
    /// In bytes: what Hyperscan gets at once. It counts with 32 bits.
    private let largestPart: Int

    /// Compiles the signatures. With none, nothing ever matches.
    ///
    /// - Throws: ``EpitopeError/Code/scannerUnbuildable`` when one has no fixed byte, or a gap that no data can have.
    public convenience init(_ signatures: [Signature]) throws(EpitopeError) {
        try self.init(signatures, largestPart: 1 << 30)
    }

    init(_ signatures: [Signature], largestPart: Int) throws(EpitopeError) {
        self.signatures = signatures
        self.largestPart = largestPart
        plan = try ScanPlan(signatures)
        database = plan.literals.isEmpty ? nil : try LiteralDatabase(plan.literals)
    }

    /// The signatures, by index in ascending order, that match the data, each with the place of one match.
    ///
    /// - Parameter data: of any length; it is scanned in parts that overlap.
    /// - Throws: ``EpitopeError/Code/scannerUnbuildable`` when memory is short, ``EpitopeError/Code/scanFailed``.
    public func matches(in data: UnsafeRawBufferPointer) throws(EpitopeError) -> [(signature: Int, place: Range<Int>)] {
        let run = ScanRun(plan, data: data)
        if let database {
            let pooled = pool.withLock { $0.popLast() }
            let scratch = if let pooled { pooled } else { try database.makeScratch() }
            defer { pool.withLock { $0.append(scratch) } }
            var start = 0
            while start < data.count {
                let end = min(data.count, start + largestPart)
                run.base = start
                try database.scan(UnsafeRawBufferPointer(rebasing: data[start..<end]), scratch: scratch, run: run)
                // A literal that the parts' border cuts lies whole in the overlap.
                start = end == data.count ? end : end - SoughtSignature.longestLiteral
            }
        }
        return run.conclude()
    }
}
