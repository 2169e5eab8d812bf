// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import FileAccess
import Glibc
import Notifications
import Synchronization

/// Notices as lines of JSON at the end of a file.
final class FileTransport: NoticeTransport {
    private let file: LineFile
    private let format: DestinationSettings.Format
    private let timeoutSeconds: Int
    private let sender: NoticeSender
    private let turn = BlockingTurn(label: "epitope.notices-file")

    let batch = 200

    init(path: String, format: DestinationSettings.Format, timeoutSeconds: Int, sender: NoticeSender) {
        file = LineFile(path: path)
        self.format = format
        self.timeoutSeconds = timeoutSeconds
        self.sender = sender
    }

    func send(_ notices: [Notice]) async throws(EpitopeError) -> DeliveryOutcome {
        let (format, sender, file) = (format, sender, file)
        let lines = notices.flatMap { notice in
            let line =
                switch format {
                case .ocsf: OCSFFinding.bytes(notice, from: sender)
                case .json: WebhookMessage.body(notice, from: sender)
                default: ECSDocument.bytes(notice, from: sender)
                }
            return line + [UInt8(ascii: "\n")]
        }
        let result = await turn.run(atMost: .seconds(timeoutSeconds)) {
            Result { () throws(FileError) in try file.append(lines) }
        }
        switch result {
        case nil: throw DeliveryFailure.timeout("the file \(file.path)", timeoutSeconds)
        case .success: return DeliveryOutcome(answer: "written, and on the disk")
        case .failure(let error):
            throw EpitopeError(
                .noticeFileFailed, "the file \(file.path) can't be written: \(error)",
                remedy: "see that its folder exists, that the user who runs the center may write there, and that the disk has room")
        }
    }
}

/// A file that lines are added to. One that was moved away, removed or replaced (by logrotate) is noticed, and made anew.
final class LineFile: Sendable {
    let path: String
    private let open = Mutex<FileDescriptor?>(nil)

    /// Its owner's, and his group's to read: what a log shipper needs.
    private static let mode: UInt32 = 0o640

    init(path: String) { self.path = path }

    /// Adds whole lines, which are on the disk on return. Where not all of them fit nothing is kept of them.
    func append(_ lines: [UInt8]) throws(FileError) {
        try open.withLock { current throws(FileError) in
            let file = try present(current)
            current = file
            let size = try file.status().identity.size
            var bytes = lines
            // What a crash has left of a line must not become a part of the next.
            if size > 0, try DescriptorIO.bytes(file.number, at: Int(size) - 1, count: 1) != [UInt8(ascii: "\n")] {
                bytes.insert(UInt8(ascii: "\n"), at: 0)
            }
            do throws(FileError) {
                try Self.write(bytes, to: file)
            } catch {
                // Only what is known to be this program's own.
                if let now = try? file.status().identity.size, now > size, now < size + Int64(bytes.count) {
                    ftruncate(file.number, off_t(size))
                }
                throw error
            }
            guard fdatasync(file.number) == 0 else { throw .system(errno) }
        }
    }

    private func present(_ current: FileDescriptor?) throws(FileError) -> FileDescriptor {
        if let current, let there = try? FileStatus(path: path, followLinks: false), let known = try? current.status(),
            there.identity.device == known.identity.device, there.identity.inode == known.identity.inode
        {
            return current
        }
        let flags = O_RDWR | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY
        let file: FileDescriptor
        do throws(FileError) {
            file = try FileDescriptor(path, flags)
        } catch  where error.number == ENOENT {
            file = try FileDescriptor(path, flags | O_CREAT | O_EXCL, mode: Self.mode)
            // Whatever the umask says: a center's keeps everything to itself.
            fchmod(file.number, Self.mode)
        }
        guard try file.status().kind == .regular else { throw .notRegular }
        return file
    }

    private static func write(_ bytes: [UInt8], to file: FileDescriptor) throws(FileError) {
        var written = 0
        while written < bytes.count {
            var failure: FileError?
            let count = bytes[written...].withUnsafeBytes { raw in
                do throws(FileError) { return try DescriptorIO.append(raw, to: file.number) } catch {
                    failure = error
                    return 0
                }
            }
            if let failure { throw failure }
            guard count > 0 else { throw .system(EIO) }
            written += count
        }
    }
}
