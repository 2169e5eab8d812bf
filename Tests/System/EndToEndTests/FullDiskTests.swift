// SPDX-License-Identifier: Apache-2.0

import Foundation
import TestSupport
import Testing

/// Disks that fill up: said with `disk-full`, and what was acknowledged before is there, and goes on when there is room.
@Suite(.serialized) struct FullDiskTests {
    private let many = ["--packets-per-day", "1000"]

    private func smallDisk(_ folder: String, megabytes: Int = 16) async throws -> Namespace {
        try await Namespace(["--mount"], setup: "mount -t tmpfs -o size=\(megabytes)m epitope-test \(folder)")
    }

    private func fill(_ folder: String, _ disk: Namespace) async throws {
        try await disk.run(["/bin/sh", "-c", "dd if=/dev/zero of=\(folder)/fill bs=4096 2>/dev/null || true"])
    }

    private func free(_ folder: String, _ disk: Namespace) async throws {
        try await disk.run(["/bin/rm", "\(folder)/fill"])
    }

    @Test func `a host keeps its packets when the disk of the center is full`() async throws {
        let folder = try TemporaryFolder()
        let disk = try await smallDisk(folder.path)
        let center = try await Center(state: folder.path, within: disk)
        try await center.serve()
        let host = try Host()
        try await host.enroll(at: center)
        try await host.attacks(2, options: many)
        try await fill(folder.path, disk)
        try await host.attacks(40, options: many)
        #expect(host.events("unreachable").contains { $0.code == "disk-full" })
        let acknowledged = host.events("sent").compactMap(\.packet)
        #expect(acknowledged.count >= 2 && acknowledged.count < 42)
        #expect(try await Set(center.events("stored").map(\.subject)).isSuperset(of: acknowledged))

        try await free(folder.path, disk)
        // A run ends when its drain time does, on a slow machine perhaps before all is sent: the next one goes on.
        for _ in 0..<10 where host.events("sent").count < host.events("spooled").count {
            try await host.run("call-stub", ["bench", "1", "9"], options: many)
        }
        #expect(host.events("sent").compactMap(\.packet) == host.events("spooled").compactMap(\.packet))
        #expect(try await center.events("stored").map(\.subject).sorted() == host.events("spooled").compactMap(\.packet).sorted())
    }

    @Test func `a host with a full disk still blocks and keeps its packets`() async throws {
        let folder = try TemporaryFolder()
        // Too small for the room that a store's log takes ahead (4.4 MB), in which the packets would fit.
        let disk = try await smallDisk(folder.path, megabytes: 4)
        let center = try await Center()
        try await center.serve()
        let host = try Host(state: folder.path, within: disk)
        try await host.enroll(at: center)
        try await center.stop()
        try await host.attacks(2, options: many)
        let spooled = host.events("spooled").compactMap(\.packet)
        #expect(spooled.count == 2)
        try await fill(folder.path, disk)
        let run = try await host.attacks(60, options: many)
        #expect(run.errors.contains("[disk-full]"), "\(run.errors)")
        #expect(run.output.split(separator: "\n").count { $0.hasSuffix(" 1") } == 60)

        try await center.serve()
        // What has no room goes straight from memory. Of what waits on the disk the first goes again and again: that it went can't be noted.
        let more = try await host.attack(port: 9556, options: many)
        #expect(more.errors.contains("is sent from memory"), "\(more.errors)")
        try await eventually("the packet that could not be stored") {
            try await !Set(center.events("stored").map(\.subject)).isSubset(of: spooled)
        }

        try await free(folder.path, disk)
        try await host.run("call-stub", ["bench", "1", "9"], options: many)
        #expect(try await Set(center.events("stored").map(\.subject)).isSuperset(of: spooled))
    }
}
