// SPDX-License-Identifier: Apache-2.0

import AgentLifeCycle
import ArgumentParser
import CenterMonitoring
import EpitopeModel
import FileAccess
import HostFrontEnd
import Logging
import Relay
import SecureChannel
import UnixSignals

/// `epitope relay`: the way to centers for hosts that have none.
struct RelayCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "relay", abstract: "Pass the connections of hosts that have no way to a center on to it.",
        usage: "epitope relay --center <url> ... [--listen <address>] [--allow <network>] ... [--tell-addresses]",
        discussion: """
            It passes TLS connections on as they are, to the centers that it is given and nowhere else: it has no key, sees nothing of what is \
            said, and nobody trusts it. Hosts name it when they enrol:
              epitope enroll --relay RELAY --center https://CENTER:7443 --token-file FILE

            A center takes all hosts of a relay for one machine, unless the relay tells where each connection comes from \
            (--tell-addresses) and the center's setting `relays` names the relay's address.
            """)

    @Option(
        name: .customLong("center"),
        help: ArgumentHelp("A center that it leads to, such as https://center.example:7443, as hosts name it.", valueName: "url"))
    var centers: [String]

    @Option(help: ArgumentHelp("The address and port to listen on, such as 10.0.0.1:7444 or [::]:7444.", valueName: "address"))
    var listen = "0.0.0.0:7444"

    @Option(help: ArgumentHelp("A network whose machines may use it, such as 10.9.0.0/16. (default: all)", valueName: "network"))
    var allow: [String] = []

    @Flag(
        help: "Tell the centers where each connection comes from: their setting `relays` must name this relay, or they serve none of them.")
    var tellAddresses = false

    @Option(help: "Connections at a time.")
    var connections = RelayBounds.defaultConnections

    @Option(help: "Connections of one machine at a time.")
    var connectionsOfMachine = RelayBounds().connectionsOfMachine

    @Option(help: ArgumentHelp("Close connections on which nothing is said for so long.", valueName: "seconds"))
    var idleSeconds = Int(RelayBounds().idleSeconds)

    @Option(help: ArgumentHelp("How much one connection may carry; the host connects anew then.", valueName: "megabytes"))
    var connectionMegabytes = RelayBounds().connectionMegabytes

    @OptionGroup var logOptions: LogOptions

    func validate() throws {
        guard let endpoint = ListenOptions.endpoint(listen), !endpoint.host.isEmpty else {
            throw ValidationError("--listen takes ADDRESS:PORT, not '\(listen)'")
        }
        guard centers.count <= CenterList.maxAddresses else {
            throw ValidationError("--center is given \(CenterList.maxAddresses) times at most")
        }
        guard (1...65536).contains(connections), (1...65536).contains(connectionsOfMachine) else {
            throw ValidationError("--connections and --connections-of-machine take 1 to 65536")
        }
        guard (90...86400).contains(idleSeconds) else {
            throw ValidationError("--idle-seconds takes 90 to 86400: an answer may be awaited for a minute")
        }
        guard (1...1_048_576).contains(connectionMegabytes) else { throw ValidationError("--connection-megabytes takes 1 to 1048576") }
    }

    func run() async throws {
        var settings = RelaySettings(host: "", port: 0, centers: [], tellsAddresses: tellAddresses)
        settings.centers = try centers.map { text throws(EpitopeError) in try CenterAddress(text) }
        settings.allowed = try RelayNetworks.parse(allow)
        if let endpoint = ListenOptions.endpoint(listen) { (settings.host, settings.port) = endpoint }
        settings.bounds.connections = connections
        settings.bounds.connectionsOfMachine = connectionsOfMachine
        settings.bounds.idleSeconds = Int64(idleSeconds)
        settings.bounds.connectionMegabytes = connectionMegabytes
        let logger = CenterProcess.logger("relay", logOptions.logFormat ?? .text)
        OpenFileLimit.raise()
        settings.bounds = try settings.bounds.within(limit: OpenFileLimit.current, open: OpenFileLimit.openCount ?? 0)
        if settings.bounds.connections < connections {
            logger.warning(
                "there is room for \(settings.bounds.connections) connections at a time, of \(connections): raise the limit of open files")
        }
        let relay = RelayServer(settings)
        let host = settings.host.contains(":") ? "[\(settings.host)]" : settings.host
        let serving = Task { () -> Result<Void, EpitopeError> in
            do throws(EpitopeError) {
                try await relay.run { port in
                    Console.print("relay listening on \(host):\(port)")
                    ServiceManager.current?.notify(.ready, .status("listening on \(host):\(port)"))
                }
                return .success(())
            } catch { return .failure(error) }
        }
        let ending = Task {
            for await _ in await UnixSignalsSequence(trapping: .sigterm, .sigint) {
                serving.cancel()
                return
            }
        }
        let telling = Task { await RelayReport(relay, logger: logger).run() }
        let result = await serving.value
        ending.cancel()
        telling.cancel()
        await telling.value
        try result.get()
    }
}
