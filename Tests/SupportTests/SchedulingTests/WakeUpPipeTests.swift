// SPDX-License-Identifier: Apache-2.0

import Foundation
import Scheduling
import TestSupport
import Testing

@Suite("A service is woken by another process through a pipe")
struct WakeUpPipeTests {
    private let folder: TemporaryFolder
    private let path: String

    init() throws {
        folder = try TemporaryFolder()
        path = folder.path + "/wake"
    }

    @Test func `each ring is heard while somebody listens`() async {
        let signal = WakeUpSignal()
        let pipe = WakeUpPipe(path: path) { signal.send() }
        for _ in 0..<3 {
            let seen = signal.count
            #expect(WakeUpPipe.ring(path: path))
            await signal.wait(after: seen, atMost: .seconds(30))
            #expect(signal.count > seen)
        }
        withExtendedLifetime(pipe) {}
    }

    @Test func `who rings is told that nobody listens`() async throws {
        #expect(!WakeUpPipe.ring(path: path))
        let signal = WakeUpSignal()
        do {
            let pipe = WakeUpPipe(path: path) { signal.send() }
            #expect(WakeUpPipe.ring(path: path))
            withExtendedLifetime(pipe) {}
        }
        // The listening thread ends soon after.
        for _ in 0..<3000 where WakeUpPipe.ring(path: path) { try await Task.sleep(for: .milliseconds(10)) }
        #expect(!WakeUpPipe.ring(path: path))
        // The next service takes the pipe that is there.
        let seen = signal.count
        let second = WakeUpPipe(path: path) { signal.send() }
        #expect(WakeUpPipe.ring(path: path))
        await signal.wait(after: seen, atMost: .seconds(30))
        #expect(signal.count > seen)
        withExtendedLifetime(second) {}
    }

    @Test func `a file that is no pipe is left alone`() throws {
        try Data("mine".utf8).write(to: URL(filePath: path))
        let pipe = WakeUpPipe(path: path) {}
        #expect(!WakeUpPipe.ring(path: path))
        #expect(try Data(contentsOf: URL(filePath: path)) == Data("mine".utf8))
        withExtendedLifetime(pipe) {}
    }

    @Test func `thousands of rings at once are one`() async {
        let signal = WakeUpSignal()
        let pipe = WakeUpPipe(path: path) {
            signal.send()
            Thread.sleep(forTimeInterval: 0.2)
        }
        for _ in 0..<100_000 { #expect(WakeUpPipe.ring(path: path)) }
        await signal.wait(after: 0, atMost: .seconds(30))
        #expect(signal.count < 100_000)
        withExtendedLifetime(pipe) {}
    }
}
