// SPDX-License-Identifier: Apache-2.0

import Foundation
import Synchronization
import TestSupport
import Testing

@testable import HostPipeline

@Suite struct EventLogTests {
    private let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
    }

    private var path: String { folder.path + "/" + EventLog.fileName }

    private func event(_ number: Int) -> HostEvent { HostEvent(.blocked, time: EventTime(milliseconds: Int64(number))) }

    /// The numbers of a log's events.
    private func numbers(_ path: String) throws -> [Int64] {
        try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n").map {
            try JSONDecoder().decode(HostEvent.self, from: Data($0.utf8)).time.milliseconds
        }
    }

    @Test func `a log that grows too long is moved aside while programs run, and no line is lost or torn`() async throws {
        let logs = (0..<4).map { _ in EventLog(directory: folder.path, maxBytes: 4000) }
        await withTaskGroup(of: Void.self) { group in
            for (number, log) in logs.enumerated() {
                group.addTask { for line in 0..<25 { log.append(event(number * 100 + line)) } }
            }
        }
        let kept = try numbers(path) + numbers(path + ".1")
        #expect(Set(kept).count == 100 && kept.count == 100)
        let size = try #require(try FileManager.default.attributesOfItem(atPath: path)[.size] as? Int)
        #expect(size < 4100)
        // However long it goes on, there are two files, each of its length.
        for line in 0..<1000 { logs[line % 4].append(event(line)) }
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted() == ["events.jsonl", "events.jsonl.1"])
        #expect(try numbers(path).last == 999)
    }

    /// Any program that may read the log can lock it, and never let go: a log reader that hangs.
    @Test(arguments: [LOCK_SH, LOCK_EX]) func `a reader that keeps the log locked holds nobody up, and the log stays bounded`(
        _ kind: Int32
    ) throws {
        let log = EventLog(directory: folder.path, maxBytes: 4000)
        log.append(event(0))
        let reader = open(path, O_RDONLY | O_CLOEXEC)
        defer { close(reader) }
        try #require(flock(reader, kind | LOCK_NB) == 0)
        var count: Int64 = 0
        while try FileManager.default.contentsOfDirectory(atPath: folder.path).count == 1, count < 1000 {
            count += 1
            log.append(event(Int(count)))
        }
        #expect(log.droppedLines == 0)
        let sizes = try [path + ".1", path].map { try #require(FileManager.default.attributesOfItem(atPath: $0)[.size] as? Int) }
        #expect((8000..<8200).contains(sizes[0]) && sizes[1] < 200, "\(sizes)")
        #expect(try numbers(path + ".1") + numbers(path) == Array(0...count))
        // One that follows the log by its name keeps the next one, too.
        let next = open(path, O_RDONLY | O_CLOEXEC)
        defer { close(next) }
        try #require(flock(next, kind | LOCK_NB) == 0)
        var most = 0
        for number in 0..<200 {
            log.append(event(number))
            let files = try [path + ".1", path].map { try FileManager.default.attributesOfItem(atPath: $0)[.size] as? Int ?? 0 }
            most = max(most, files.reduce(0, +))
        }
        #expect(log.droppedLines == 0)
        #expect((15_000..<16_400).contains(most), "\(most)")
    }

    @Test(arguments: ["mv events.jsonl events.jsonl.old", "rm events.jsonl", "mv events.jsonl events.jsonl.old; : > events.jsonl"])
    func `a log that was moved away is made anew`(command: String) async throws {
        let log = EventLog(directory: folder.path)
        log.append(event(1))
        let moved = try await Command.run("/bin/sh", ["-c", "cd \(folder.path); \(command)"])
        #expect(moved.status == 0)
        log.append(event(2))
        #expect(try numbers(path) == [2])
        #expect(log.droppedLines == 0)
    }

    @Test func `a log that can't be written counts its lines, and says so once it can`() throws {
        let losses = Mutex(0)
        let log = EventLog(directory: folder.path + "/missing", onLoss: { losses.withLock { $0 += 1 } })
        for line in 1...3 { log.append(event(line)) }
        #expect(log.droppedLines == 3)
        #expect(losses.withLock { $0 } == 1, "told once")
        try FileManager.default.createDirectory(atPath: folder.path + "/missing", withIntermediateDirectories: true)
        log.append(event(4))
        log.append(event(5))
        let lines = try String(contentsOfFile: folder.path + "/missing/events.jsonl", encoding: .utf8).split(separator: "\n")
        let events = try lines.map { try JSONDecoder().decode(HostEvent.self, from: Data($0.utf8)) }
        #expect(events.map(\.time.milliseconds) == [4, 5])
        #expect(events.map(\.linesLost) == [3, nil])
    }

    @Test func `what stands in a log's place and is no file is not written to`() throws {
        mkfifo(path, 0o600)
        let log = EventLog(directory: folder.path)
        log.append(event(1))
        #expect(log.droppedLines == 1)
        unlink(path)
        symlink(folder.path + "/elsewhere", path)
        log.append(event(2))
        #expect(log.droppedLines == 2)
        #expect(!FileManager.default.fileExists(atPath: folder.path + "/elsewhere"))
    }
}
