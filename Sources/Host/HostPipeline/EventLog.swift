// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Foundation
import Synchronization

/// The host's event log: `events.jsonl` in its state folder, one JSON object a line, appended by every `epitope run` on
/// the machine. It is for people, the demonstration and the benchmark; nothing is decided by it, so a line that can't
/// be written is dropped and counted.
public final class EventLog: Sendable {
    /// Its name in the state folder.
    public static let fileName = "events.jsonl"
    /// At 16 MiB the log is moved to `events.jsonl.1`, over the one before, when the next program opens it.
    static let maxBytes: Int = 16 << 20

    private let descriptor: Int32
    private let dropped = Mutex(0)
    private let observer: @Sendable (HostEvent) -> Void

    /// - Parameters:
    ///   - directory: the state folder; where there is none or it can't be written, all lines are dropped.
    ///   - observer: is told of each event, also of one that is dropped, in the order in which they are appended.
    public init(directory: String, observer: @escaping @Sendable (HostEvent) -> Void = { _ in }) {
        self.observer = observer
        let path = directory + "/" + Self.fileName
        var status = stat()
        if stat(path, &status) == 0, status.st_size > Self.maxBytes { rename(path, path + ".1") }
        descriptor = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
    }

    deinit {
        if descriptor >= 0 { close(descriptor) }
    }

    /// How many lines could not be written.
    public var droppedLines: Int { dropped.withLock { $0 } }

    /// Writes a line; one that can not be written is dropped and counted.
    public func append(_ event: HostEvent) {
        defer { observer(event) }
        guard descriptor >= 0, let text = try? Self.line(event) else { return dropped.withLock { $0 += 1 } }
        let line = Array("\(text)\n".utf8)
        // One write with O_APPEND: lines of several programs don't mix.
        let written = line.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
        if written != line.count { dropped.withLock { $0 += 1 } }
    }

    /// An event as the log has it: JSON in one line, without its end.
    public static func line(_ event: HostEvent) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(event), as: UTF8.self)
    }

    /// The wall clock now.
    public static func now() -> EventTime {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return EventTime(microseconds: Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000)
    }
}
