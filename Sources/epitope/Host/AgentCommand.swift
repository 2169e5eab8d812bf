import ArgumentParser
import Foundation
import HostFrontEnd
import KernelBackend

/// `epitope agent`: hands over to `epitope-agent`, which lies beside this program. It runs as root and links no center.
struct AgentCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "agent", abstract: "Protect every process of this machine by an eBPF program (root).")

    @Argument(parsing: .captureForPassthrough, help: "The agent's own options: epitope agent --help.")
    var arguments: [String] = []

    func run() throws {
        let own = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        let agent = URL(fileURLWithPath: own).deletingLastPathComponent().appending(path: "epitope-agent").path()
        var words: [UnsafeMutablePointer<CChar>?] = (["epitope-agent"] + arguments).map { strdup($0) } + [nil]
        execv(agent, &words)
        throw ValidationError("\(agent) could not be run: \(String(cString: strerror(errno))). It belongs beside epitope.")
    }
}

/// `epitope status`: how this machine is protected, and how it could be.
struct StatusCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "How this machine is protected, why so, and what to change for more.")

    @OptionGroup var stateOptions: HostStateOptions

    func run() throws {
        for line in AgentStatus.describe(.current) { Console.say(line) }
        guard let status = StatusFile(directory: stateOptions.directory).read() else {
            Console.say("agent      none runs (epitope agent)")
            return
        }
        Console.say("agent      process \(status.processID), by \(status.level.rawValue), action \(status.action)")
        for (name, count) in status.counted.sorted(by: { $0.key < $1.key }) { Console.say("  \(name) \(count)") }
    }
}
