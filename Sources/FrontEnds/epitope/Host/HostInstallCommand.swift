// SPDX-License-Identifier: Apache-2.0

import AgentLifeCycle
import AgentUpdates
import ArgumentParser
import EpitopeModel
import FileAccess
import Glibc
import HostFrontEnd
import HostPipeline
import SecureChannel

/// `epitope host install`: the last step of the script that a center hands out.
struct HostInstallCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "install", abstract: "Enrol this host, keep the programs that its center handed out, and start the agent (root).",
        usage:
            "epitope host install --center <url> \(TokenOptions<EnrollingHost>.usage) --from <folder> [--name <name>] [--state <folder>] [-- <agent's options>]",
        discussion: """
            The script of a center calls it, once it has checked what it fetched (`epitope local-center token --host NAME --center URL`). It \
            is checked here again, by the authority that the host is enrolled at. Where systemd runs, a unit is made and started; else the \
            keeper is started in the background.
            """)

    @OptionGroup var stateOptions: HostStateOptions

    @Option(name: .customLong("center"), help: ArgumentHelp("The center, such as https://center.example:7443.", valueName: "url"))
    var centers: [String]

    @OptionGroup var tokenOptions: TokenOptions<EnrollingHost>

    @Option(help: ArgumentHelp("The folder with the programs and their order.", valueName: "folder"))
    var from: String

    @Option(help: ArgumentHelp("This host's name at the center, where the token is for several hosts.", valueName: "name"))
    var name: String?

    @Flag(help: "Start nothing.")
    var noStart = false

    @Option(parsing: .unconditional, help: ArgumentHelp("How often the center is asked for another version.", valueName: "seconds"))
    var interval = 60

    @Argument(parsing: .postTerminator, help: "The agent's own options: epitope agent --help.")
    var agentOptions: [String] = []

    private static let unit = "epitope-keeper.service"
    /// POSIX_SPAWN_SETSID (spawn.h).
    private static let newSession: Int16 = 0x80
    private static let maxOrderBytes = 65_536

    func validate() throws {
        guard (1...86_400).contains(interval) else { throw ValidationError("--interval takes 1 to 86400 seconds") }
    }

    func run() async throws {
        guard geteuid() == 0 else {
            throw EpitopeError(.rootNeeded, "only root can install the agent", remedy: "run the command as root (`sudo`)")
        }
        let state = try PrivateFolder(stateOptions.directory).path
        let order = try readOrder()
        // Before the token is used up.
        try requireNoKeeper(state)
        try requireRoom(for: order.manifest, in: state)
        // A token that was used up by an attempt that failed later: who is enrolled goes on from there.
        let token = try EnrolmentToken(try tokenOptions.read())
        let before = try? StoredIdentity.loadIfEnrolled(from: "\(state)/local")
        let identity: StoredIdentity
        do throws(EpitopeError) {
            identity = try await EnrolmentClient.enroll(
                at: CenterList(parsing: centers), token: "\(token)", name: name ?? EnrollCommand.machineName, storingIn: "\(state)/local")
        } catch {
            guard error.code == .tokenUsed, let before else { throw error }
            identity = before
        }
        let place = try await AgentInstallation.install(order, from: from, trusted: identity.authorities(), inState: state)
        Console.print("version \(order.manifest.version) is installed in \(place), for \(identity.subject.name) at \(identity.centers)")
        guard !noStart else { return }
        try start(place, state)
        try await awaitProtection(state, log: Self.isManaged ? "`journalctl -u \(Self.unit)`" : "\(state)/keeper.log")
    }

    /// Without a service manager nobody ends a keeper for another one.
    ///
    /// - Throws: `agent-running`.
    private func requireNoKeeper(_ state: String) throws(EpitopeError) {
        guard !noStart, !Self.isManaged, let keeper = AgentLock.holder(inFolder: state, named: AgentKeeper.Settings.lockFile) else {
            return
        }
        throw EpitopeError(
            .agentRunning, "a keeper runs already for \(state): process \(keeper)",
            remedy:
                "to install the host anew, or with other options, end it first (kill -USR1 \(keeper): protection stays in force), and give this command again"
        )
    }

    /// - Throws: `agent-no-room`.
    private func requireRoom(for manifest: AgentManifest, in state: String) throws(EpitopeError) {
        let needed = Int64(manifest.files.reduce(0) { $0 + $1.size }) + Self.roomBesides
        guard let room = FileSystemRoom(at: state)?.availableBytes, room < needed else { return }
        throw EpitopeError(
            .agentNoRoom, "\(state) has \(room >> 20) MB free, and version \(manifest.version) needs \(needed >> 20) MB",
            remedy: "make room there, or name another folder (--state), and give the same command again: the token is not used up")
    }

    private static var isManaged: Bool { access("/run/systemd/system", F_OK) == 0 }
    /// For the host's own files.
    private static let roomBesides: Int64 = 16 << 20
    /// Within which the agent is to protect.
    private static let startTime = Duration.seconds(30)

    /// - Throws: `agent-not-well`.
    private func awaitProtection(_ state: String, log: String) async throws {
        let file = StatusFile(directory: state)
        let deadline = ContinuousClock.now + Self.startTime
        while .now < deadline {
            if let agent = AgentLock.holder(inFolder: state), file.read()?.processID == agent {
                return Console.print("the agent protects: process \(agent)")
            }
            try await Task.sleep(for: .milliseconds(100))
        }
        throw EpitopeError(
            .agentNotWell, "the keeper was started, and its agent does not protect after \(Int(Self.startTime / .seconds(1))) seconds",
            remedy: "see why in \(log); the agent's options are those behind --")
    }

    private func readOrder() throws(EpitopeError) -> SignedManifest {
        let bytes: [UInt8]
        do throws(FileError) {
            bytes = try FileContents.whole("\(from)/order", maxBytes: Self.maxOrderBytes)
        } catch {
            throw EpitopeError(
                .agentManifestMalformed, "\(from)/order can't be read: \(error)", remedy: "use the command that the center's `token` prints"
            )
        }
        return try SignedManifest(text: String(decoding: bytes, as: UTF8.self))
    }

    private func start(_ place: String, _ state: String) throws {
        let words =
            ["\(place)/epitope", "host", "keep", "--state", state, "--interval", "\(interval)"]
            + (agentOptions.isEmpty ? [] : ["--"] + agentOptions)
        guard Self.isManaged else {
            try startInBackground(words, state)
            return Console.print(
                "the keeper runs in the background, and its log is \(state)/keeper.log; have this system start it: \(words.joined(separator: " "))"
            )
        }
        try AtomicFile.write(Array(KeeperUnit.text(words, state: state).utf8), to: "/etc/systemd/system/\(Self.unit)", mode: 0o644)
        for command in ["systemctl daemon-reload", "systemctl enable \(Self.unit)", "systemctl restart \(Self.unit)"] {
            guard system(command) == 0 else {
                throw EpitopeError(
                    .agentNotWell, "the unit \(Self.unit) could not be started",
                    remedy: "see `systemctl status \(Self.unit)`, and start it again")
            }
        }
        Console.print("\(Self.unit) runs")
    }

    /// The keeper goes on when this command, and the terminal, are gone.
    private func startInBackground(_ words: [String], _ state: String) throws {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, "\(state)/keeper.log", O_WRONLY | O_CREAT | O_APPEND, 0o600)
        posix_spawn_file_actions_adddup2(&actions, 1, 2)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK) | Self.newSession)
        var pointers: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
        defer { pointers.forEach { free($0) } }
        var process: pid_t = 0
        let failure = posix_spawn(&process, words[0], &actions, &attributes, &pointers, environ)
        guard failure == 0 else {
            throw EpitopeError(
                .agentNotWell, "the keeper could not be started: \(String(cString: strerror(failure)))",
                remedy: "start it by hand: \(words.joined(separator: " "))")
        }
    }
}

/// The unit of a host that its center has installed. The agent gives up what it doesn't need by itself; the keeper has to be able to
/// start one with all of it.
enum KeeperUnit {
    /// - Parameter state: the host's state folder.
    static func text(_ words: [String], state: String) -> String {
        """
        [Unit]
        Description=Epitope: keeps the agent running, in the version that the center hands out
        DefaultDependencies=no
        RequiresMountsFor=\(state.quotedPathForUnit)
        After=systemd-remount-fs.service
        Before=sysinit.target shutdown.target
        Conflicts=shutdown.target

        [Service]
        Type=notify
        NotifyAccess=main
        ExecStart=\(words.map(\.quotedForUnit).joined(separator: " "))
        ExecReload=/bin/kill -HUP $MAINPID
        KillSignal=SIGTERM
        RestartKillSignal=SIGUSR1
        KillMode=mixed
        Restart=always
        RestartSec=200ms
        TimeoutStopSec=40
        UMask=0077
        RuntimeDirectory=epitope
        RuntimeDirectoryMode=0700
        RuntimeDirectoryPreserve=restart
        CapabilityBoundingSet=CAP_BPF CAP_PERFMON CAP_SYSLOG CAP_CHECKPOINT_RESTORE CAP_SETPCAP CAP_SYS_PTRACE CAP_DAC_READ_SEARCH CAP_KILL
        NoNewPrivileges=yes
        ProtectSystem=strict
        ReadWritePaths=\(state.quotedPathForUnit) -/sys/fs/bpf
        ProtectHome=read-only
        PrivateDevices=yes
        ProtectKernelModules=yes
        ProtectControlGroups=yes
        RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
        RestrictRealtime=yes
        RestrictSUIDSGID=yes
        LockPersonality=yes
        SystemCallArchitectures=native
        OOMScoreAdjust=-900

        [Install]
        WantedBy=sysinit.target

        """
    }
}

extension String {
    /// As a word of a unit's command line (systemd.service(5)).
    fileprivate var quotedForUnit: String { quotedPathForUnit.replacing("$", with: "$$") }

    /// As a path in a unit's list of paths.
    fileprivate var quotedPathForUnit: String {
        "\"" + replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing("%", with: "%%") + "\""
    }
}
