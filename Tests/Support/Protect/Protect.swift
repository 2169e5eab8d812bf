// SPDX-License-Identifier: Apache-2.0

import BehaviourBlocking
import EpitopeModel
import Glibc
import SeccompBackend

/// Runs a command under the backend (`protect [--guard] [--watch] COMMAND`), or supervises containers
/// (`protect --listen PATH`), and nothing else: for tests that need it in a process of its own, such as without root's rights, or to end it.
@main enum Protect {
    static func main() async {
        var arguments = Array(CommandLine.arguments.dropFirst())
        let guards = arguments.first == "--guard"
        if guards { arguments.removeFirst() }
        let policy = Policy(action: arguments.first == "--watch" ? .watch : .block)
        if policy.action == .watch { arguments.removeFirst() }
        guard let name = arguments.first else { exit(97) }
        do {
            if name == "--listen", arguments.count == 2 { return try await supervise(arguments[1]) }
            let backend = try SeccompBackend.launch(
                Command(name, Array(arguments.dropFirst())), .init(policy: policy, forwardsSignals: true, guardsOthers: guards))
            let reports = Task {
                for await detection in backend.detections {
                    let address = String(detection.callersAddress, radix: 16)
                    say("\(detection.action.rawValue) \(detection.call.rawValue) 0x\(address) \(detection.evidence)")
                }
            }
            let notices = Task { for await notice in backend.notices { say("notice \(notice)") } }
            let status = await backend.exitStatus()
            await backend.allEnded()
            await reports.value
            await notices.value
            exit(status.shellCode)
        } catch {
            say("\(error)")
            exit(96)
        }
    }

    /// Until it is ended from outside.
    private static func supervise(_ path: String) async throws {
        let agent = try SeccompAgent(.init(path: path))
        say("listening at \(path)", to: 1)
        for await detection in agent.detections { say("\(detection.action.rawValue) \(detection.call.rawValue)") }
    }

    private static func say(_ text: String, to descriptor: Int32 = 2) {
        let line = "\(text)\n"
        _ = line.withCString { write(descriptor, $0, strlen($0)) }
    }
}
