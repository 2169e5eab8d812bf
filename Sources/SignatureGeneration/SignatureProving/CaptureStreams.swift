// SPDX-License-Identifier: Apache-2.0

internal import Captures
internal import FoundationEssentials
internal import StreamReassembly
internal import Synchronization

/// The streams of captures, kept from one proof to the next: of a ring only the file that is being written changes.
public final class CaptureStreams: Sendable {
    /// In bytes: what is kept of streams, 256 MiB. A file whose streams are more than half of it is read each time.
    static let mostBytes = 256 << 20

    private struct File {
        /// Size and time of the last change.
        var state: String
        var streams: [CapturedStream]
        var bytes: Int
        var lastUse: UInt64
    }

    private struct Kept {
        var files: [String: File] = [:]
        var bytes = 0
        var uses: UInt64 = 0
    }

    private let kept = Mutex(Kept())

    /// Reads nothing yet.
    public init() {}

    /// Gives each stream of a ring with its file, those of the oldest file first, until the body returns `false`.
    ///
    /// - Throws: `capture-unreadable`; what the body throws.
    func each(of ring: String, _ body: (CapturedStream, String) throws -> Bool) throws {
        for path in try CaptureReader.files(of: ring) {
            guard try each(in: path, body) else { return }
        }
    }

    private func each(in path: String, _ body: (CapturedStream, String) throws -> Bool) throws -> Bool {
        let state = Self.state(of: path)
        if let streams = streams(of: path, state: state) {
            for stream in streams where try !body(stream, path) { return false }
            return true
        }
        var streams: [CapturedStream]? = []
        var bytes = 0
        var isWanted = true
        try CaptureReader.streams(in: path) { stream in
            bytes += stream.bytes.count
            if bytes <= Self.mostBytes / 2 { streams?.append(stream) } else { streams = nil }
            isWanted = try body(stream, path)
            return isWanted
        }
        if isWanted, let streams, let state { keep(File(state: state, streams: streams, bytes: bytes, lastUse: 0), of: path) }
        return isWanted
    }

    private func streams(of path: String, state: String?) -> [CapturedStream]? {
        kept.withLock { kept in
            guard let file = kept.files[path], file.state == state else { return nil }
            kept.uses += 1
            kept.files[path]?.lastUse = kept.uses
            return file.streams
        }
    }

    private func keep(_ file: File, of path: String) {
        kept.withLock { kept in
            var file = file
            kept.uses += 1
            file.lastUse = kept.uses
            kept.bytes += file.bytes - (kept.files[path]?.bytes ?? 0)
            kept.files[path] = file
            while kept.bytes > Self.mostBytes, let oldest = kept.files.min(by: { $0.value.lastUse < $1.value.lastUse }) {
                kept.bytes -= oldest.value.bytes
                kept.files[oldest.key] = nil
            }
        }
    }

    private static func state(of path: String) -> String? {
        guard let values = try? FileManager.default.attributesOfItem(atPath: path) else { return nil }
        let date = (values[.modificationDate] as? Date)?.timeIntervalSince1970 ?? 0
        return [values[.systemNumber], values[.systemFileNumber], values[.size]].map { "\($0 ?? 0)" }.joined(separator: ":") + ":\(date)"
    }
}
