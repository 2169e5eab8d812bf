// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel

/// Who did what an entry of the audit log tells.
public enum AuditActor: Hashable, Sendable {
    /// The center by itself: a step that nobody asked for.
    case center
    /// A host or site, by the certificate or token that it has.
    case peer(Identity)
    /// A user of the center's machine, who ran a command.
    ///
    /// - Parameter sudoUser: whom `sudo` named as the one who became that user; it is the word of the environment (`SUDO_USER`), which
    ///   who is root may set.
    case person(user: String, sudoUser: String? = nil)

    /// Names are cut to so many characters.
    static let maxNameLength = 64

    /// As it stands in the log: `center`, `host web-1`, `site berlin`, `user alice`, `user root (sudo: alice)`.
    public var text: String {
        switch self {
        case .center: "center"
        case .peer(let identity): "\(identity.role == .host ? "host" : "site") \(identity.name)"
        case .person(let user, let sudoUser):
            "user \(user.prefix(Self.maxNameLength))" + (sudoUser.map { " (sudo: \($0.prefix(Self.maxNameLength)))" } ?? "")
        }
    }
}

extension CenterStore {
    /// The same store, in whose audit log what is done by it stands as another's doing.
    public func acting(as actor: AuditActor) -> CenterStore { CenterStore(self, fence: fence, actor: actor) }
}
