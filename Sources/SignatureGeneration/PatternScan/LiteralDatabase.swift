// SPDX-License-Identifier: Apache-2.0

import CHyperscan
import EpitopeModel

/// A compiled Hyperscan database of literals, and the scratch space that those of scans are cloned from.
///
/// `@unchecked Sendable`: the database is written only by `init`, and Hyperscan scans with one database from any number
/// of threads. The scratch is only ever cloned from; cloning reads it, and no scan runs with it.
final class LiteralDatabase: @unchecked Sendable {
    private let database: OpaquePointer
    private let scratch: OpaquePointer

    /// - Parameter literals: at least one, each of at least one byte; hits refer to them by index.
    /// - Throws: ``EpitopeError/Code/scannerUnbuildable``.
    init(_ literals: [[UInt8]]) throws(EpitopeError) {
        // All literals are in one block, since Hyperscan needs an address and a length of each.
        let block = literals.flatMap { $0.map { CChar(bitPattern: $0) } }
        var database: OpaquePointer?
        var failure: UnsafeMutablePointer<hs_compile_error_t>?
        let status = block.withUnsafeBufferPointer { block in
            var expressions: [UnsafePointer<CChar>?] = []
            var offset = 0
            for literal in literals {
                expressions.append(block.baseAddress.map { $0 + offset })
                offset += literal.count
            }
            let flags = [UInt32](repeating: 0, count: literals.count)
            let ids = literals.indices.map { UInt32($0) }
            return hs_compile_lit_multi(
                expressions, flags, ids, literals.map(\.count), UInt32(literals.count), UInt32(HS_MODE_BLOCK), nil, &database, &failure)
        }
        guard status == HS_SUCCESS, let database else {
            let why = failure.map { String(cString: $0.pointee.message) } ?? "status \(status)"
            hs_free_compile_error(failure)
            throw Self.unbuildable(why)
        }
        var scratch: OpaquePointer?
        guard hs_alloc_scratch(database, &scratch) == HS_SUCCESS, let scratch else {
            hs_free_database(database)
            throw Self.unbuildable("no memory for its scratch space")
        }
        self.database = database
        self.scratch = scratch
    }

    deinit {
        hs_free_scratch(scratch)
        hs_free_database(database)
    }

    /// Scratch space for one scan at a time.
    func makeScratch() throws(EpitopeError) -> LiteralScratch {
        var copy: OpaquePointer?
        guard hs_clone_scratch(scratch, &copy) == HS_SUCCESS, let copy else {
            throw Self.unbuildable("no memory for its scratch space")
        }
        return LiteralScratch(copy)
    }

    /// Calls the run's ``ScanRun/hit(literal:end:)`` for every occurrence of every literal.
    ///
    /// - Parameters:
    ///   - data: at most `UInt32.max` bytes: Hyperscan counts with 32 bits.
    ///   - scratch: must not be used by another scan at the same time.
    func scan(_ data: UnsafeRawBufferPointer, scratch: LiteralScratch, run: ScanRun) throws(EpitopeError) {
        guard let start = data.bindMemory(to: CChar.self).baseAddress else { return }
        // The run outlives the scan, which doesn't keep the pointer.
        let context = Unmanaged.passUnretained(run).toOpaque()
        let status = hs_scan(
            database, start, UInt32(data.count), 0, scratch.pointer,
            { literal, _, end, _, context in
                guard let context else { return 1 }
                return Unmanaged<ScanRun>.fromOpaque(context).takeUnretainedValue().hit(literal: Int(literal), end: Int(end)) ? 0 : 1
            }, context)
        guard status == HS_SUCCESS || status == HS_SCAN_TERMINATED else {
            throw EpitopeError(
                .scanFailed, "Hyperscan ended with status \(status) in \(data.count) bytes",
                remedy: "scan again; if it stays, report it with the signatures")
        }
    }

    private static func unbuildable(_ why: String) -> EpitopeError {
        EpitopeError(
            .scannerUnbuildable, "Hyperscan can't compile the signatures: \(why)",
            remedy: "scan with fewer signatures, on a processor with SSSE3")
    }
}

/// Hyperscan's working memory for one scan.
///
/// `@unchecked Sendable`: whoever takes it from the scanner's pool is its only user until it is put back.
final class LiteralScratch: @unchecked Sendable {
    let pointer: OpaquePointer

    init(_ pointer: OpaquePointer) {
        self.pointer = pointer
    }

    deinit {
        hs_free_scratch(pointer)
    }
}
