// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel
import FileAccess
import Glibc
public import SecureChannel

/// The first version on a host.
public enum AgentInstallation {
    /// Puts the programs of a folder here, which a host was installed with.
    ///
    /// - Parameters:
    ///   - signed: their order.
    ///   - trusted: the authorities whose word counts on this host.
    /// - Throws: what ``OrderCheck/require(_:trusted:running:highest:architecture:)`` throws; `agent-tampered`, `agent-no-room`,
    ///   `folder-not-private`, `state-unwritable`.
    /// - Returns: where they are.
    public static func install(
        _ signed: SignedManifest, from folder: String, trusted: [AuthorityCertificate], inState state: String
    ) async throws(EpitopeError) -> String {
        let shelf = try AgentShelf(AgentKeeper.Settings.shelfPath(in: state))
        let before = try shelf.state()
        let running = before.flatMap { state in try? shelf.manifest(state.current, in: state).version }
        // One that is installed again by the same order is mended by that.
        let highest = (before?.highest ?? 0) - (before?.current == signed.manifest.number ? 1 : 0)
        try OrderCheck.require(signed, trusted: trusted, running: running, highest: min(highest, before?.highest ?? 0))
        try await shelf.add(signed) { (number, file) async throws(EpitopeError) in
            do {
                let descriptor = try FileAccess.FileDescriptor("\(folder)/\(file.name)", O_RDONLY | O_NOFOLLOW)
                let place = number * AgentManifest.partBytes
                return try DescriptorIO.bytes(descriptor.number, at: place, count: min(AgentManifest.partBytes, file.size - place))
            } catch {
                throw HandoutErrors.tampered(file.name, signed.manifest)
            }
        }
        var next = AgentShelf.State(current: signed.manifest.number, manifest: signed.manifest)
        if let before {
            next.highest = max(before.highest, next.current)
            next.accepted.merge(before.accepted) { new, _ in new }
            next.previous = before.current == next.current ? before.previous : before.current
        }
        try shelf.save(next)
        return "\(shelf.path)/\(AgentShelf.currentLink)"
    }
}
