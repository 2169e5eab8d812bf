// SPDX-License-Identifier: Apache-2.0

import Foundation
import GoodwareIndex

/// Keys on disk, in one file for each value of their first bits, so that only one partition is in memory at a time.
final class PartitionedKeyFile: Sendable {
    static let partitionBits = 8
    private let descriptors: [Int32]

    /// - Parameter folder: the folder of the files. They have no names, and disappear with this object.
    init(in folder: String) throws {
        var opened: [Int32] = []
        for part in 0..<(1 << Self.partitionBits) {
            let path = "\(folder)/.goodware-\(getpid())-\(part)-\(UInt64.random(in: 0...UInt64.max))"
            let descriptor = open(path, O_RDWR | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0o600)
            guard descriptor >= 0 else {
                let reason = String(cString: strerror(errno))
                for each in opened { close(each) }
                throw Failure(reason: reason)
            }
            unlink(path)
            opened.append(descriptor)
        }
        descriptors = opened
    }

    deinit { for each in descriptors { close(each) } }

    /// The disk failed.
    struct Failure: Error {
        var reason: String
    }

    /// Appends keys of one partition. May be called from several threads at once, since each write appends.
    func append(_ keys: UnsafeRawBufferPointer, part: Int) throws {
        var rest = keys
        while !rest.isEmpty {
            let count = write(descriptors[part], rest.baseAddress, rest.count)
            if count < 0 && errno == EINTR { continue }
            // A partial key would shift all that follow.
            guard count > 0, count.isMultiple(of: 8) else { throw Failure(reason: String(cString: strerror(errno))) }
            rest = UnsafeRawBufferPointer(rebasing: rest[count...])
        }
    }

    /// The number of keys, with repetitions.
    var count: Int { descriptors.reduce(0) { $0 + Self.length($1) / 8 } }

    /// The keys of neighbouring partitions.
    func keys(parts: Range<Int>) throws -> [UInt64] {
        let count = parts.reduce(0) { $0 + Self.length(descriptors[$1]) / 8 }
        var failure: Failure?
        let keys = [UInt64](unsafeUninitializedCapacity: count) { buffer, filled in
            let raw = UnsafeMutableRawBufferPointer(buffer)
            var place = 0
            for part in parts {
                var position = 0
                let end = min(Self.length(descriptors[part]), raw.count - place)
                while position < end {
                    let read = pread(descriptors[part], raw.baseAddress.map { $0 + place + position }, end - position, off_t(position))
                    if read < 0 && errno == EINTR { continue }
                    guard read > 0 else {
                        failure = Failure(reason: String(cString: strerror(errno)))
                        return
                    }
                    position += read
                }
                place += end
            }
            filled = place / 8
        }
        if let failure { throw failure }
        return keys
    }

    private static func length(_ descriptor: Int32) -> Int {
        var status = stat()
        return fstat(descriptor, &status) == 0 ? Int(status.st_size) : 0
    }
}
