// SPDX-License-Identifier: Apache-2.0

public import Foundation
import Synchronization

/// A program that runs while a test does other things. It is ended when the value goes, whatever the test does.
public final class RunningProcess: Sendable {
    public let identifier: pid_t
    private let folder: TemporaryFolder
    /// What waitpid(2) gave, once the process has ended: its id is not ours any more.
    private let ending = Mutex<Int32?>(nil)

    /// - Parameters:
    ///   - words: the program's path, then its arguments.
    ///   - descriptors: copies of what it is given beside its standard streams, from 3 on.
    public init(_ words: [String], descriptors: [Int32] = []) throws {
        folder = try TemporaryFolder()
        let output = try folder.makeFile("output")
        let errors = try folder.makeFile("errors")
        let variables = ProcessInfo.processInfo.environment.map { "\($0)=\($1)" }
        identifier = try Command.spawn(words, variables, output.fileDescriptor, errors.fileDescriptor, descriptors: descriptors)
    }

    deinit {
        if ending.withLock({ $0 }) == nil {
            kill(-identifier, SIGKILL)
            _ = waitpid(identifier, nil, 0)
        }
    }

    public var output: String { (try? folder.read("output")) ?? "" }
    public var errors: String { (try? folder.read("errors")) ?? "" }

    public var hasEnded: Bool {
        ending.withLock { ending in
            var status: Int32 = 0
            if ending == nil, waitpid(identifier, &status, WNOHANG) == identifier { ending = status }
            return ending != nil
        }
    }

    /// The exit status, or 128 and the signal's number; `nil` while it runs.
    public var status: Int32? {
        guard hasEnded, let status = ending.withLock({ $0 }) else { return nil }
        let signal = status & 0x7f
        return signal == 0 ? (status >> 8) & 0xff : 128 + signal
    }

    /// Sends the process, and it alone, a signal.
    public func send(_ signal: Int32) {
        if !hasEnded { kill(identifier, signal) }
    }

    /// Sends a signal and waits for the end; what doesn't end in `seconds` is killed.
    @discardableResult
    public func end(
        _ signal: Int32 = SIGTERM, seconds: Double = 60, fileID: String = #fileID, line: Int = #line
    ) async throws -> Int32? {
        send(signal)
        do {
            try await eventually("the end of process \(identifier)", seconds: seconds, fileID: fileID, line: line) { hasEnded }
        } catch {
            send(SIGKILL)
            throw error
        }
        return status
    }

    /// Waits for a line of output that holds a text.
    @discardableResult
    public func line(with text: String, seconds: Double = 60, fileID: String = #fileID, line: Int = #line) async throws -> String {
        var found: String?
        try await eventually("'\(text)' on standard output", seconds: seconds, fileID: fileID, line: line) {
            // The last piece may be half a line.
            found = output.split(separator: "\n", omittingEmptySubsequences: false).dropLast()
                .first { $0.contains(text) }.map(String.init)
            if found == nil, hasEnded {
                throw NeverCame(what: "'\(text)': the program ended: \(output)\(errors)", fileID: fileID, line: line)
            }
            return found != nil
        }
        return found ?? ""
    }
}

/// Something that a test waited for in vain. Its description names the line of the test that waited: a thrown error is
/// reported at the test's first line.
public struct NeverCame: Error, CustomStringConvertible {
    public let what: String
    private let place: String

    public init(what: String, fileID: String = #fileID, line: Int = #line) {
        self.what = what
        place = "\(fileID):\(line)"
    }

    public var description: String { "never came: \(what) (waited for at \(place))" }
}

/// Waits until a condition holds; the time is a bound against hanging, not what is tested.
public func eventually(
    _ what: String, seconds: Double = 60, fileID: String = #fileID, line: Int = #line, _ condition: () async throws -> Bool
) async throws {
    let deadline = ContinuousClock.now + .seconds(seconds)
    while try await !condition() {
        guard ContinuousClock.now < deadline else { throw NeverCame(what: "\(what), in \(seconds) s", fileID: fileID, line: line) }
        try await Task.sleep(for: .milliseconds(20))
    }
}

/// Checks for a while that a condition continues to hold: that nothing more comes, say.
public func stays(
    _ what: String, for duration: Duration = .milliseconds(300), fileID: String = #fileID, line: Int = #line,
    _ condition: () async throws -> Bool
) async throws {
    let deadline = ContinuousClock.now + duration
    repeat {
        guard try await condition() else { throw NeverCame(what: "\(what), for all of \(duration)", fileID: fileID, line: line) }
        try await Task.sleep(for: .milliseconds(20))
    } while ContinuousClock.now < deadline
}
