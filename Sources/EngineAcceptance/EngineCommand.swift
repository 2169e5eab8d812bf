import Dispatch
import Foundation

/// Runs an engine in a folder of its own that is gone afterwards.
enum EngineCommand {
    enum Outcome: Sendable {
        case accepted
        /// Its own words.
        case refused(String)
        /// It could not be asked.
        case unknown(String)
    }

    /// The program's path by way of `PATH`; `nil` where it is not installed.
    static func path(of program: String) -> String? {
        let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/usr/local/bin").split(separator: ":")
        return folders.map { "\($0)/\(program)" }.first { FileManager.default.isExecutableFile(atPath: $0) }
    }

    /// Waiting for a process would hold up one of Swift's own threads, so a thread of Dispatch's does it.
    static func run(_ path: String, _ engine: Engine, _ files: [String: String], within seconds: Double) async -> Outcome {
        await withCheckedContinuation { continuation in
            DispatchQueue.global().async { continuation.resume(returning: wait(path, engine, files, seconds)) }
        }
    }

    private static func wait(_ path: String, _ engine: Engine, _ files: [String: String], _ seconds: Double) -> Outcome {
        let folder = NSTemporaryDirectory() + "/epitope-engine-" + UUID().uuidString
        defer { try? FileManager.default.removeItem(atPath: folder) }
        do {
            try FileManager.default.createDirectory(
                atPath: folder, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o700])
            for (name, text) in files.merging(engine.companions, uniquingKeysWith: { one, _ in one }) {
                try Data(text.utf8).write(to: URL(fileURLWithPath: "\(folder)/\(name)"))
            }
        } catch {
            return .unknown("no scratch folder can be made for \(engine.program): \(error)")
        }
        let output = "\(folder)/output"
        guard let process = start([path] + engine.arguments(folder, files.keys.sorted()), output) else {
            return .unknown("\(path) can't be run")
        }
        let deadline = ContinuousClock.now + .seconds(seconds)
        var status: Int32 = 0
        while waitpid(process, &status, WNOHANG) == 0 {
            guard ContinuousClock.now < deadline else {
                kill(process, SIGKILL)
                waitpid(process, &status, 0)
                return .unknown("\(engine.program) did not end in \(Int(seconds)) seconds")
            }
            usleep(1000)
        }
        if status == 0 { return .accepted }
        let said = (try? Data(contentsOf: URL(fileURLWithPath: output))).map { String(decoding: $0, as: UTF8.self) } ?? ""
        let line = said.split(separator: "\n").first { $0.lowercased().contains("error") }
        return .refused(line.map { String($0.prefix(400)) } ?? "it ended with status \(status)")
    }

    private static func start(_ words: [String], _ output: String) -> pid_t? {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        posix_spawn_file_actions_adddup2(&actions, 1, 2)
        // A thread of a dispatch queue has most signals blocked; the program must not inherit that.
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
        let arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
        defer { arguments.forEach { free($0) } }
        var process: pid_t = 0
        return posix_spawn(&process, words[0], &actions, &attributes, arguments, environ) == 0 ? process : nil
    }
}
