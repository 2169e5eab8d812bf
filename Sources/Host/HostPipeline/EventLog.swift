// SPDX-License-Identifier: Apache-2.0

import EpitopeModel
import Foundation
import Synchronization

/// The host's event log: `events.jsonl` in its state folder, one JSON object a line, appended by every `epitope run` on
/// the machine. It is for people, the demonstration and the benchmark; nothing is decided by it, so a line that can't
/// be written is dropped and counted, and the count is written once there is room again.
///
/// The file is looked at before each line: one that has grown too long is moved to `events.jsonl.1`, over the one before, and
/// one that was moved or removed, as programs that rotate logs do, is made anew. So the log takes 32 MiB at most, however long
/// a program runs; 64 MiB where somebody keeps each one locked.
public final class EventLog: Sendable {
    /// Its name in the state folder.
    public static let fileName = "events.jsonl"
    /// The length from which a log is moved aside, in bytes.
    public static let maxBytes: Int = 16 << 20

    private struct State {
        /// The open file.
        var descriptor: Int32?
        var dropped = 0
        /// How many of the dropped lines the log does not say yet.
        var untold = 0
        /// Whether the file ends in the middle of a line.
        var isTorn = false
    }

    private let path: String
    private let maxBytes: Int
    private let state = Mutex(State())
    private let observer: @Sendable (HostEvent) -> Void
    private let onLoss: @Sendable () -> Void

    /// - Parameters:
    ///   - directory: the state folder; where there is none or it can't be written, all lines are dropped.
    ///   - observer: is told of each event, also of one that is dropped, in the order in which they are appended.
    ///   - onLoss: is told of the first line that can't be written, and of the first one after others could be.
    public convenience init(
        directory: String, observer: @escaping @Sendable (HostEvent) -> Void = { _ in }, onLoss: @escaping @Sendable () -> Void = {}
    ) {
        self.init(directory: directory, maxBytes: Self.maxBytes, observer: observer, onLoss: onLoss)
    }

    init(
        directory: String, maxBytes: Int, observer: @escaping @Sendable (HostEvent) -> Void = { _ in },
        onLoss: @escaping @Sendable () -> Void = {}
    ) {
        path = directory + "/" + Self.fileName
        self.maxBytes = maxBytes
        self.observer = observer
        self.onLoss = onLoss
        // A reader that follows the log finds it from the start on.
        state.withLock { _ = descriptor(&$0) }
    }

    deinit {
        state.withLock { Self.close(&$0) }
    }

    /// How many lines could not be written.
    public var droppedLines: Int { state.withLock { $0.dropped } }

    /// Writes a line; one that can not be written is dropped and counted.
    public func append(_ event: HostEvent) {
        defer { observer(event) }
        let isFirstLoss = state.withLock { state in
            var event = event
            // The first line that can be written again says how many could not.
            if state.untold > 0 { event.linesLost = state.untold }
            if write(event, &state) {
                state.untold = 0
            } else {
                state.dropped += 1
                state.untold += 1
            }
            return state.untold == 1
        }
        if isFirstLoss { onLoss() }
    }

    private func write(_ event: HostEvent, _ state: inout State) -> Bool {
        guard let text = try? Self.line(event), let descriptor = descriptor(&state) else { return false }
        let line = Array("\(state.isTorn ? "\n" : "")\(text)\n".utf8)
        // One write with O_APPEND: lines of several programs don't mix.
        let written = line.withUnsafeBytes { Foundation.write(descriptor, $0.baseAddress, $0.count) }
        guard written == line.count else {
            if written > 0 { state.isTorn = true }
            return false
        }
        state.isTorn = false
        return true
    }

    /// The log's file, open; `nil` where it can't be opened.
    private func descriptor(_ state: inout State) -> Int32? {
        if let descriptor = state.descriptor {
            var (open, named) = (stat(), stat())
            let isInPlace =
                fstat(descriptor, &open) == 0 && lstat(path, &named) == 0 && named.st_ino == open.st_ino
                && named.st_dev == open.st_dev
            if isInPlace, Int(open.st_size) < maxBytes { return descriptor }
            if isInPlace { rotate(descriptor, bytes: Int(open.st_size)) }
            Self.close(&state)
        }
        return open(&state)
    }

    private func open(_ state: inout State) -> Int32? {
        // A second time, if the first found a log that was to be moved aside. One that couldn't be is written on.
        for isLast in [false, true] {
            let descriptor = Foundation.open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0o600)
            guard descriptor >= 0 else { return nil }
            var status = stat()
            guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
                Foundation.close(descriptor)
                return nil
            }
            guard !isLast, Int(status.st_size) >= maxBytes else {
                state.descriptor = descriptor
                state.isTorn = false
                return descriptor
            }
            rotate(descriptor, bytes: Int(status.st_size))
            Foundation.close(descriptor)
        }
        return nil
    }

    /// Moves the log aside. Of several programs that find it too long one does: the lock is on the file itself, and whoever gets
    /// it next finds that the path leads to another. Nobody waits for it: any program that reads the log can keep it, and calls would
    /// wait behind that. Where it can't be had the log grows on, to twice its length; then it is moved all the same.
    private func rotate(_ descriptor: Int32, bytes: Int) {
        let isLocked = flock(descriptor, LOCK_EX | LOCK_NB) == 0
        guard isLocked || bytes >= 2 * maxBytes else { return }
        defer { if isLocked { flock(descriptor, LOCK_UN) } }
        var (open, named) = (stat(), stat())
        guard fstat(descriptor, &open) == 0, lstat(path, &named) == 0, named.st_ino == open.st_ino, named.st_dev == open.st_dev else {
            return
        }
        rename(path, path + ".1")
    }

    private static func close(_ state: inout State) {
        if let descriptor = state.descriptor { Foundation.close(descriptor) }
        state.descriptor = nil
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
