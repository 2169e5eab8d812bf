// SPDX-License-Identifier: Apache-2.0

public import EpitopeModel

/// What becomes of the authorities that a machine trusts.
public enum AuthorityChange: Hashable, Sendable {
    /// The center replaces its authority, and the present one's signature proves the next one.
    case announced
    /// The center named a next authority that is not proven; nothing changes.
    case unproven(EpitopeError)
    /// The center has a certificate of the next authority itself: the former one is trusted no more.
    case completed
    /// The center does not know the next authority any more, as after a restore: the former certificate is used again.
    case undone(EpitopeError)

    /// Such as "another authority follows the present one, which has signed for it".
    public var inWords: String {
        switch self {
        case .announced:
            "another authority follows the present one, which has signed for it; both are trusted until the center has changed over"
        case .unproven(let error): "another authority is not believed: \(error.message)"
        case .completed: "the center has changed over, and the former authority is trusted no more"
        case .undone(let error):
            "the center does not know its next authority any more, and the former certificate is used again: \(error.message)"
        }
    }

    /// Why it is so, where something is amiss.
    public var error: EpitopeError? {
        switch self {
        case .announced, .completed: nil
        case .unproven(let error), .undone(let error): error
        }
    }
}

/// Follows a center that replaces its authority.
extension EnrolledClient {
    /// Does what the center's word on its authorities asks for, a renewal included where one is due.
    func follow(_ news: AuthorityNews?, _ client: CenterClient) async {
        await learn(news, client)
        await renewIfDue(client)
    }

    /// Trusts the authorities that the center's word is for, and notes when the certificate is to be replaced.
    func learn(_ news: AuthorityNews?, _ client: CenterClient) async {
        guard let news else { return }
        await dropFormer(client, presented: news.presented)
        guard let successor = news.successor else { return followingDue = nil }
        let identity = client.identity
        do throws(EpitopeError) {
            // Also where it is known: another one's signature would show.
            if let next = try identity.knowing(successor, nowMilliseconds: clock()) {
                guard try await replace(client, identity, by: next) else { return }
                onEvent(.authority(.announced))
            }
            told.recovered(from: .successor)
        } catch {
            followingDue = nil
            if told.isNews(.successor, error, nowMilliseconds: clock()) { onEvent(.authority(.unproven(error))) }
            return
        }
        if followingDue == nil {
            followingDue = clock() + Int64(Double(min(max(0, successor.withinSeconds), AuthorityNews.maxSeconds)) * spread * 1000)
        }
    }

    /// Whether the certificate is to be replaced by one of the next authority.
    func isFollowingDue(_ identity: StoredIdentity) -> Bool {
        guard identity.trust.successor != nil, let followingDue else { return false }
        return clock() >= followingDue
    }

    /// Stops to trust the former authority, where the center itself proves that it needs it no more: who has the former one's key can't, and
    /// has nothing of it from then on.
    private func dropFormer(_ client: CenterClient, presented: String) async {
        let identity = client.identity
        guard identity.trust.former != nil, presented == StoredIdentity.fingerprint(ofAuthority: identity.authorityPEM) else { return }
        do throws(EpitopeError) {
            let next = try identity.withoutFormer()
            try await client.check(next)
            if try await replace(client, identity, by: next) { onEvent(.authority(.completed)) }
        } catch {
            // Asked again with the next look.
        }
    }

    /// Uses the former certificate again, where the center turns the present one away as another's: it was put back to a state from before
    /// it had its next authority.
    ///
    /// - Returns: whether there is another one now.
    func returnToFormer(_ client: CenterClient, because error: EpitopeError) async -> Bool {
        guard error.code == .certificateForeign else { return false }
        let identity = client.identity
        do throws(EpitopeError) {
            guard let former = try identity.former(), try await replace(client, identity, by: former) else { return false }
            followingDue = nil
            onEvent(.authority(.undone(error)))
            return true
        } catch {
            return false
        }
    }
}
