// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
import FileAccess
import Glibc

/// A file with an audit log: a line of JSON an entry (``AuditLine``).
public struct AuditFile: Sendable {
    /// A line is at most so long, in bytes.
    private static let maxLine = 1 << 20
    /// Bytes that are read at a time.
    private static let piece = 1 << 16

    public let path: String

    public init(path: String) { self.path = path }

    /// Writes a center's log to the file, which must not be there. It is there whole, or not at all.
    ///
    /// - Parameter sequence: only entries after this one.
    /// - Returns: the last entry's head; where there is none, what stands before.
    /// - Throws: `audit-file-failed`; what the store throws.
    public func write(from store: CenterStore, after sequence: Int64 = 0) async throws(EpitopeError) -> AuditHead {
        let path = path
        let file: AtomicFile
        do throws(FileError) { file = try AtomicFile(replacing: path, mode: 0o600) } catch { throw Self.failed(path, error) }
        var (head, length) = (AuditHead.empty, 0)
        try await store.forEachAuditPage(after: sequence) { (start, entries) throws(EpitopeError) in
            head = start
            var bytes: [UInt8] = []
            for entry in entries {
                bytes += AuditLine(entry, after: head.hash).json.utf8
                bytes.append(UInt8(ascii: "\n"))
                head = entry.head
            }
            do throws(FileError) {
                try DescriptorIO.write(bytes, to: file.descriptor.number, at: length)
            } catch { throw Self.failed(path, error) }
            length += bytes.count
        }
        do throws(FileError) { try file.commitNew() } catch { throw Self.failed(path, error) }
        return head
    }

    private static func failed(_ path: String, _ error: FileError) -> EpitopeError {
        .auditFile(path, error == .system(EEXIST) ? "there is a file already" : "\(error)")
    }

    /// Looks through the file's entries.
    ///
    /// - Parameter noted: a head that was noted earlier, elsewhere; `nil`: there is none.
    /// - Throws: `audit-file-failed`.
    public func verify(noted: AuditHead?) throws(EpitopeError) -> AuditVerification {
        var verifier: AuditVerifier?
        var number = 0
        try eachLine { line in
            number += 1
            guard let line, let read = AuditLine(json: line), let entry = read.entry else {
                var current = verifier ?? AuditVerifier(after: .empty, noted: nil)
                current.fail(line: number)
                verifier = current
                return false
            }
            var current = verifier ?? AuditVerifier(after: read.start, noted: noted)
            defer { verifier = current }
            return current.look(at: entry)
        }
        return (verifier ?? AuditVerifier(after: .empty, noted: noted)).outcome
    }

    /// - Parameter body: gets each line, `nil` for one that is too long; returns whether to go on.
    private func eachLine(_ body: ([UInt8]?) -> Bool) throws(EpitopeError) {
        do throws(FileError) {
            let file = try FileDescriptor(path, O_RDONLY | O_NONBLOCK)
            guard try file.status().kind == .regular else { throw .notRegular }
            var (rest, offset): ([UInt8], Int) = ([], 0)
            while true {
                let read = try DescriptorIO.bytes(file.number, at: offset, count: Self.piece)
                guard !read.isEmpty else { break }
                offset += read.count
                rest += read
                var start = 0
                while let end = rest[start...].firstIndex(of: UInt8(ascii: "\n")) {
                    guard body(Array(rest[start..<end])) else { return }
                    start = end + 1
                }
                rest.removeSubrange(..<start)
                guard rest.count <= Self.maxLine else {
                    _ = body(nil)
                    return
                }
            }
            if !rest.isEmpty { _ = body(rest) }
        } catch {
            throw .auditFile(path, "\(error)")
        }
    }
}

extension EpitopeError {
    static func auditFile(_ path: String, _ problem: String) -> EpitopeError {
        EpitopeError(
            .auditFileFailed, "the file \(path) of an audit log can't be used: \(problem)",
            remedy: "look at its path, owner and rights; `audit export` takes a new name")
    }
}

extension EpitopeError.Code {
    /// The audit log is not a whole chain.
    public static let auditBroken = EpitopeError.Code("audit-broken")
    /// A file for an audit log, or with one, can't be written or read.
    public static let auditFileFailed = EpitopeError.Code("audit-file-failed")
}
