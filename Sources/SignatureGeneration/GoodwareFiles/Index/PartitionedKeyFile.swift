// SPDX-License-Identifier: Apache-2.0

import FileAccess
import Foundation
import GoodwareIndex
import GoodwareReading

/// Keys on disk, in one file for each value of their first bits, so that only one partition is in memory at a time.
final class PartitionedKeyFile: Sendable {
    static let partitionBits = 8
    private let parts: [FileDescriptor]

    /// - Parameter folder: the folder of the files. They have no names, and disappear with this object.
    init(in folder: String) throws {
        parts = try Failure.wrapping { () throws(FileError) in
            try (0..<(1 << Self.partitionBits)).map { (part) throws(FileError) in
                let path = "\(folder)/.goodware-\(getpid())-\(part)-\(UInt64.random(in: 0...UInt64.max))"
                let file = try FileDescriptor(path, O_RDWR | O_CREAT | O_EXCL | O_APPEND, mode: 0o600)
                unlink(path)
                return file
            }
        }
    }

    /// The disk failed.
    struct Failure: Error {
        var reason: String

        /// Does the work, and throws its failure as one of these.
        static func wrapping<Value>(_ work: () throws(FileError) -> Value) throws(Failure) -> Value {
            do { return try work() } catch { throw Failure(reason: error.description) }
        }
    }

    /// Appends keys of one partition. May be called from several threads at once, since each write appends.
    func append(_ keys: UnsafeRawBufferPointer, part: Int) throws {
        var rest = keys
        while !rest.isEmpty {
            let count = try Failure.wrapping { () throws(FileError) in try DescriptorIO.append(rest, to: parts[part].number) }
            // A partial key would shift all that follow.
            guard count > 0, count.isMultiple(of: 8) else { throw Failure(reason: "a key was written in part") }
            rest = UnsafeRawBufferPointer(rebasing: rest[count...])
        }
    }

    /// The number of keys, with repetitions.
    var count: Int { parts.reduce(0) { $0 + Self.length($1) / 8 } }

    /// How many keys neighbouring partitions have, with repetitions.
    func count(parts range: Range<Int>) -> Int { range.reduce(0) { $0 + Self.length(parts[$1]) / 8 } }

    /// Reads the keys of neighbouring partitions.
    ///
    /// - Parameter keys: as many as they have.
    func read(parts range: Range<Int>, into keys: UnsafeMutableBufferPointer<UInt64>) throws(Failure) {
        let raw = UnsafeMutableRawBufferPointer(keys)
        var place = 0
        for part in parts[range] {
            let end = min(Self.length(part), raw.count - place)
            let room = UnsafeMutableRawBufferPointer(rebasing: raw[place..<(place + end)])
            let read = try Failure.wrapping { () throws(FileError) in try DescriptorIO.fill(room, from: part.number, at: 0) }
            guard read == end else { throw Failure(reason: "the file is shorter than it was") }
            place += end
        }
        guard place == raw.count else { throw Failure(reason: "the file is shorter than it was") }
    }

    private static func length(_ file: FileDescriptor) -> Int { FileIdentity(file.number).map { Int($0.size) } ?? 0 }
}
