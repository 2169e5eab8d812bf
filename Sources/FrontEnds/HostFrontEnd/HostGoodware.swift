// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import FileAccess
import GoodwareIndex
import GoodwareReading
import HostPipeline
import Synchronization

/// The goodware index that a host asks for the signatures that it chooses itself. It is opened when it is first needed, and again once
/// another file has its name. One that can't be used is told among the host's problems, and no signature rests on it.
final class HostGoodware: Sendable {
    private let path: String
    private let problems: ProblemBook
    private let opened = Mutex<(file: GoodwareFile, identity: FileIdentity)?>(nil)

    /// - Parameter problems: where it is told that it can't be used. It is tried at once.
    init(path: String, problems: ProblemBook) {
        self.path = path
        self.problems = problems
        note { () throws(EpitopeError) in _ = try current() }
    }

    /// By the start of each window of 32 bytes whether the index proves it absent; `nil` where it can't be used.
    var absentWindows: AbsentWindows {
        { bytes in
            self.note { () throws(EpitopeError) in
                let file = try self.current()
                let absent = file.index.absentWindows(in: bytes)
                try file.requireUnchanged()
                return absent
            }
        }
    }

    private func current() throws(EpitopeError) -> GoodwareFile {
        let identity = FileIdentity(path: path)
        if let known = opened.withLock({ $0 }), known.identity == identity { return known.file }
        let file = try GoodwareFile(path: path)
        guard !file.unread.isTooMany(beside: file.fileCount) else {
            throw EpitopeError(
                .goodwareIncomplete, "too much of its goodware was not read: the index \(path) proves nothing",
                remedy: "see epitope goodware info \(path), and build it again")
        }
        opened.withLock { $0 = identity.map { (file, $0) } }
        return file
    }

    @discardableResult
    private func note<Value>(_ work: () throws(EpitopeError) -> Value) -> Value? {
        do throws(EpitopeError) {
            let value = try work()
            problems.set("goodware", nil)
            return value
        } catch {
            problems.set("goodware", error)
            return nil
        }
    }
}

extension EpitopeError.Code {
    /// So much of a goodware index's sources was not read that nothing is proven by it.
    static let goodwareIncomplete = EpitopeError.Code("goodware-incomplete")
    /// A host could not choose its own signature by what is unique.
    static let signatureNotUnique = EpitopeError.Code("signature-not-unique")
}
