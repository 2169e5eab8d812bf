// SPDX-License-Identifier: Apache-2.0

import Captures
import FileAccess
import StreamReassembly
import Synchronization

/// A cache of the streams of captures: of the files that a recorder rotates through, only the one being written changes.
public final class CaptureStreams: Sendable {
    /// In bytes: the size of the cache, 256 MiB. A file whose streams take more than half of it is read each time.
    static let maxBytes = 256 << 20

    private struct File {
        var identity: FileIdentity
        var streams: [CapturedStream]
        var bytes: Int
        var lastUse: UInt64
    }

    private struct Cache {
        var files: [String: File] = [:]
        var bytes = 0
        var uses: UInt64 = 0
    }

    private let cache = Mutex(Cache())

    /// Reads nothing yet.
    public init() {}

    /// Calls the body with each stream of a capture set and its file, the oldest file first, until it returns `false`.
    ///
    /// - Parameter captureSet: a file, a folder, or a path with `*` in its last part.
    /// - Throws: `capture-unreadable`, and errors of the body.
    func each(of captureSet: String, _ body: (CapturedStream, String) throws -> Bool) throws {
        for path in try CaptureReader.files(of: captureSet) {
            guard try each(in: path, body) else { return }
        }
    }

    private func each(in path: String, _ body: (CapturedStream, String) throws -> Bool) throws -> Bool {
        let identity = FileIdentity(path: path)
        if let streams = streams(of: path, identity: identity) {
            for stream in streams where try !body(stream, path) { return false }
            return true
        }
        var streams: [CapturedStream]? = []
        var bytes = 0
        var isWanted = true
        try CaptureReader.streams(in: path) { stream in
            bytes += stream.bytes.count
            if bytes <= Self.maxBytes / 2 { streams?.append(stream) } else { streams = nil }
            isWanted = try body(stream, path)
            return isWanted
        }
        if isWanted, let streams, let identity { store(File(identity: identity, streams: streams, bytes: bytes, lastUse: 0), of: path) }
        return isWanted
    }

    private func streams(of path: String, identity: FileIdentity?) -> [CapturedStream]? {
        cache.withLock { cache in
            guard let file = cache.files[path], file.identity == identity else { return nil }
            cache.uses += 1
            cache.files[path]?.lastUse = cache.uses
            return file.streams
        }
    }

    private func store(_ file: File, of path: String) {
        cache.withLock { cache in
            var file = file
            cache.uses += 1
            file.lastUse = cache.uses
            cache.bytes += file.bytes - (cache.files[path]?.bytes ?? 0)
            cache.files[path] = file
            while cache.bytes > Self.maxBytes, let oldest = cache.files.min(by: { $0.value.lastUse < $1.value.lastUse }) {
                cache.bytes -= oldest.value.bytes
                cache.files[oldest.key] = nil
            }
        }
    }
}
