// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
public import Signatures
import Synchronization

/// Searches data for many signatures: Hyperscan finds the most distinct fixed run of each, then the signature is matched
/// around it.
///
/// The results are those of `Signature.match(in:)` for each signature; contexts are ignored. Scans may run on any number of
/// threads at once: the plan and the database don't change, and each scan takes its own working memory from a pool.
public final class SignatureScanner: Sendable {
    /// The signatures to search for; matches refer to them by index.
    public let signatures: [Signature]
    private let plan: ScanPlan
    /// `nil` if no signature has a literal.
    private let database: LiteralDatabase?
    private let pool = Mutex<[LiteralScratch]>([])
    /// In bytes: the data of one call of Hyperscan, which counts with 32 bits.
    private let maxPartBytes: Int

    /// Compiles the signatures. Without any, nothing matches.
    ///
    /// - Throws: ``EpitopeError/Code/scannerUnbuildable`` if a signature has no fixed byte, or an impossible gap.
    public convenience init(_ signatures: [Signature]) throws(EpitopeError) {
        try self.init(signatures, maxPartBytes: 1 << 30)
    }

    init(_ signatures: [Signature], maxPartBytes: Int) throws(EpitopeError) {
        self.signatures = signatures
        self.maxPartBytes = maxPartBytes
        plan = try ScanPlan(signatures)
        database = plan.literals.isEmpty ? nil : try LiteralDatabase(plan.literals)
    }

    /// The signatures that match the data, by index in ascending order, each with the range of one match.
    ///
    /// - Parameter data: of any length; it is scanned in parts that overlap.
    /// - Throws: ``EpitopeError/Code/scannerUnbuildable`` if memory is short, ``EpitopeError/Code/scanFailed``.
    public func matches(in data: UnsafeRawBufferPointer) throws(EpitopeError) -> [(signature: Int, place: Range<Int>)] {
        let run = ScanRun(plan, data: data)
        if let database {
            let pooled = pool.withLock { $0.popLast() }
            let scratch = if let pooled { pooled } else { try database.makeScratch() }
            defer { pool.withLock { $0.append(scratch) } }
            var start = 0
            while start < data.count {
                let end = min(data.count, start + maxPartBytes)
                run.base = start
                try database.scan(UnsafeRawBufferPointer(rebasing: data[start..<end]), scratch: scratch, run: run)
                // A literal that is cut by the border of two parts is complete in their overlap.
                start = end == data.count ? end : end - SignatureSearch.maxLiteralBytes
            }
        }
        return run.conclude()
    }
}
