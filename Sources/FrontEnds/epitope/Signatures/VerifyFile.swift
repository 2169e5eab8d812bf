// SPDX-License-Identifier: Apache-2.0

import FileAccess
import Glibc

/// A file's bytes for one look at them.
final class VerifyFile {
    /// Why a file was not searched, or not all of it.
    struct Unreadable: Error, Equatable {
        var reason: String

        /// It may have been read half before and half after.
        static let written = Unreadable(reason: "it was written while it was searched")
    }

    /// In bytes: up to this a file is read, beyond it is mapped.
    static let maxReadBytes = 16 << 20

    private enum Contents {
        case read(UnsafeMutableRawBufferPointer)
        case mapped(SparseMap)
    }

    private let contents: Contents
    private let file: FileDescriptor
    private let identity: FileIdentity
    /// Its holes are shortened.
    let bytes: UnsafeRawBufferPointer

    /// - Parameter maxHole: in bytes: longer holes are searched as if they had this length.
    /// - Throws: ``Unreadable``.
    init(_ path: RawPath, maxHole: Int) throws(Unreadable) {
        do throws(FileError) {
            // A pipe that took the file's name meanwhile must not stop the search.
            file = try FileDescriptor(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
            let status = try file.status()
            guard status.kind == .regular else { throw .notRegular }
            identity = status.identity
            let size = Int(status.identity.size)
            guard size <= Self.maxReadBytes else {
                let map = try SparseMap(file.number, size: size, maxHole: maxHole)
                contents = .mapped(map)
                bytes = map.bytes
                return
            }
            let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: 64)
            do throws(FileError) {
                let count = try DescriptorIO.fill(buffer, from: file.number, at: 0)
                bytes = UnsafeRawBufferPointer(rebasing: buffer[..<count])
            } catch {
                buffer.deallocate()
                throw error
            }
            contents = .read(buffer)
        } catch {
            throw Unreadable(reason: error.description)
        }
    }

    deinit {
        if case .read(let buffer) = contents { buffer.deallocate() }
    }

    /// The place in the file of a place in ``bytes``.
    func offset(of place: Int) -> Int {
        if case .mapped(let map) = contents { map.fileOffset(of: place) } else { place }
    }

    /// In bytes: how much of the file's holes was passed over.
    var skippedBytes: Int {
        if case .mapped(let map) = contents { map.skippedBytes } else { 0 }
    }

    /// Asked after the search: why not all of it was of the file; `nil` if it was.
    var unreadable: Unreadable? {
        switch contents {
        case .mapped(let map):
            if let cut = map.cutAt {
                return Unreadable(reason: "it was cut short, or could not be read, from byte \(cut) on while it was searched")
            }
        case .read:
            if bytes.count < identity.size {
                return Unreadable(reason: "it was cut short at byte \(bytes.count) while it was searched")
            }
        }
        return FileIdentity(file.number).map { $0.hasContent(of: identity) } == true ? nil : .written
    }
}
