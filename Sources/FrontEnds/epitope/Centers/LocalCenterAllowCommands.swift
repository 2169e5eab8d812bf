// SPDX-License-Identifier: Apache-2.0

import ArgumentParser
import CenterStore
import EpitopeModel
import HostFrontEnd

/// What is allowed, as options.
struct AllowedOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Code, by its SHA-256, as `show` prints it of a packet.", valueName: "sha256"))
    var code: String?

    @Option(help: ArgumentHelp("What the program at that path does, on any host.", valueName: "path"))
    var executable: String?

    @Option(help: ArgumentHelp("A signature, by its id.", valueName: "id"))
    var signature: String?

    @Option(help: ArgumentHelp("What the host of that name reports.", valueName: "name"))
    var host: String?

    static let usage = "(--code <sha256> | --executable <path> | --signature <id> | --host <name>)"

    private var given: [String] { [code, executable, signature, host].compactMap(\.self) }

    var isEmpty: Bool { given.isEmpty }

    func validate() throws {
        guard given.count <= 1 else { throw ValidationError("give one of --code, --executable, --signature and --host") }
        if let code, Hex.decode(code)?.count != 32 { throw ValidationError("--code takes a SHA-256: 64 hexadecimal digits") }
        if let executable, !executable.hasPrefix("/") { throw ValidationError("--executable takes the whole path of a program") }
        if let host, !Identity.isValidName(host) { throw ValidationError("--host takes a host's name") }
        if let signature, signature.isEmpty || !signature.allSatisfy(\.isHexDigit) {
            throw ValidationError("--signature takes the id of one")
        }
    }

    var allowed: Allowed? {
        if let code { return .code(code.lowercased()) }
        if let executable { return .executable(executable) }
        if let signature { return .signature(signature.lowercased()) }
        return host.map { .host($0) }
    }
}

/// `allow`.
struct LocalCenterAllowCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "allow",
        abstract: "Have nothing made a rule of code, a program, a signature or a host, and withdraw the rules that were.",
        usage: "epitope local-center allow [--state <folder>] \(AllowedOptions.usage) --reason <text>",
        discussion: """
            What is allowed counts for nothing: its reports are stored, and not weighed. Who can run such a program, or is that host, goes \
            unnoticed by the center: allow as little as will do, rather code than a program, and a program than a host.
            """)

    @OptionGroup var stateOptions: CenterStateOptions<LocalKind>
    @OptionGroup var options: AllowedOptions
    @OptionGroup var reason: ReasonOptions

    func validate() throws {
        if options.isEmpty { throw ValidationError("give one of --code, --executable, --signature and --host") }
    }

    func run() async throws {
        guard let allowed = options.allowed else { return }
        let store = try stateOptions.openStore()
        try await stateOptions.perform(
            .allow(allowed, reason: reason.reason), "allowed: the \(allowed.kind) \(allowed.value)", in: store)
    }
}

/// `allowed`.
struct LocalCenterAllowedCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "allowed", abstract: "List what is allowed, or allow something no longer.",
        usage: "epitope local-center allowed [--state <folder>] [--remove \(AllowedOptions.usage)] [--json]")

    @OptionGroup var stateOptions: CenterStateOptions<LocalKind>

    @Flag(help: "Allow no longer what --code, --executable, --signature or --host names.")
    var remove = false

    @OptionGroup var options: AllowedOptions

    @Flag(help: "As JSON.")
    var json = false

    func validate() throws {
        guard remove != options.isEmpty else { throw ValidationError("--remove takes one of --code, --executable, --signature and --host") }
    }

    func run() async throws {
        let store = try stateOptions.openStore()
        if let allowed = options.allowed {
            return try await stateOptions.perform(.disallow(allowed), "no longer allowed: the \(allowed.kind) \(allowed.value)", in: store)
        }
        let list = try await store.allowances()
        guard !json else { return Console.print(try Console.json(list)) }
        guard !list.isEmpty else { return Console.print("nothing is allowed") }
        Console.print(
            Console.table(
                [["kind", "what", "since", "by", "reason"]]
                    + list.map { [$0.kind, $0.value, Console.time(Double($0.timeMilliseconds)), $0.actor, $0.reason] }))
    }
}
