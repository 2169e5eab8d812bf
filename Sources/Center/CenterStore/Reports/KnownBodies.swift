// SPDX-License-Identifier: Apache-2.0

import Crypto
public import EpitopeModel
import FoundationEssentials
import GRDB
import Synchronization

extension CenterStore {
    /// The code of a digest (SHA-256) that reports have in common; `nil`: none has it.
    public func code(digest: [UInt8]) async throws(EpitopeError) -> [UInt8]? {
        if let known = knownBodies.find(digest) { return known }
        let found = try await snapshot { transaction in
            let select = try transaction.db.cachedStatement(sql: SharedBody.selectBytes)
            return try Data.fetchOne(select, arguments: [Data(digest)])
        }
        guard let found else { return nil }
        let code = [UInt8](found)
        guard Array(SHA256.hash(data: code)) == digest else {
            try await disown(digest)
            return nil
        }
        knownBodies.add(code, digest)
        return code
    }

    /// Takes a damaged code from under its digest, so that the next packet that comes whole brings it anew: a packet that is
    /// acknowledged has its own code.
    private func disown(_ digest: [UInt8]) async throws(EpitopeError) {
        try await transaction { transaction in
            let free = Data((0..<32).map { _ in UInt8.random(in: 0...255) })
            try transaction.db.execute(sql: "UPDATE bodies SET hash = ? WHERE hash = ?", arguments: [free, Data(digest)])
        }
    }
}

/// The code that was asked for lately, so that an outbreak's is not read for each of its hosts.
final class KnownBodies: Sendable {
    /// 128 codes of at most 8 KiB: 1 MiB, and as much again of those before them.
    static let max = 128

    private struct Contents {
        var recent: [[UInt8]: [UInt8]] = [:]
        var earlier: [[UInt8]: [UInt8]] = [:]
    }

    private let contents = Mutex(Contents())

    var count: Int { contents.withLock { $0.recent.count + $0.earlier.count } }

    func find(_ digest: [UInt8]) -> [UInt8]? {
        let (recent, earlier) = contents.withLock { ($0.recent[digest], $0.earlier[digest]) }
        if recent == nil, let earlier { add(earlier, digest) }
        return recent ?? earlier
    }

    func add(_ code: [UInt8], _ digest: [UInt8]) {
        contents.withLock { contents in
            if contents.recent.count >= Self.max { (contents.recent, contents.earlier) = ([:], contents.recent) }
            contents.recent[digest] = code
        }
    }
}

extension SharedBody {
    static let selectBytes = "SELECT bytes FROM bodies WHERE hash = ?"
}
