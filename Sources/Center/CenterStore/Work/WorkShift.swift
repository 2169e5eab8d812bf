// SPDX-License-Identifier: Apache-2.0

import CenterMetrics
import EpitopeModel
import Scheduling

/// Does a center's work whenever it is this center's to do. Over a file there is one center, and it always is.
public struct WorkShift: Sendable {
    private let store: CenterStore
    private let name: String
    private let onFailure: @Sendable (any Error) -> Void
    private let onOther: @Sendable () -> Void
    private let onChange: @Sendable (_ isHeld: Bool) -> Void

    /// How often it is looked whether the work is free, and how often one that is held is said to be.
    static let interval = Duration.seconds(2)

    /// - Parameters:
    ///   - name: this center's, for people.
    ///   - onFailure: called when it could not be looked who has the work, or not be said that this center has it.
    ///   - onOther: called each time that another center was seen to have the work.
    ///   - onChange: called when the work of several centers becomes this one's, and when it no longer is.
    public init(
        store: CenterStore, name: String, onFailure: @escaping @Sendable (any Error) -> Void,
        onOther: @escaping @Sendable () -> Void, onChange: @escaping @Sendable (_ isHeld: Bool) -> Void
    ) {
        self.store = store
        self.name = name
        self.onFailure = onFailure
        self.onOther = onOther
        self.onChange = onChange
    }

    /// Works until the task is cancelled.
    ///
    /// - Parameters:
    ///   - work: begins with nothing in memory, and ends when its task is cancelled. All that it writes goes through the store that it is
    ///     given.
    ///   - otherwise: what is done while another center works; it ends when its task is cancelled, and writes nothing.
    public func run(
        _ work: @escaping @Sendable (CenterStore) async -> Void, otherwise: @escaping @Sendable () async -> Void = {}
    ) async {
        guard !store.isFile else {
            store.counters.holdsWork.set(1)
            await work(store)
            return store.counters.holdsWork.set(0)
        }
        while !Task.isCancelled {
            // Looked at before anything else is begun: it may be free.
            var fence = await takeWork()
            if fence == nil {
                fence = await withTaskGroup { group in
                    group.addTask { await otherwise() }
                    defer { group.cancelAll() }
                    return await awaitWork()
                }
            }
            if let fence { await hold(fence, work) }
        }
    }

    /// - Returns: `nil` when the task is cancelled.
    private func awaitWork() async -> WorkFence? {
        while !Task.isCancelled {
            let seen = store.workSignal.count
            if let fence = await takeWork() { return fence }
            await store.workSignal.wait(after: seen, atMost: Self.interval)
        }
        return nil
    }

    private func takeWork() async -> WorkFence? {
        do throws(EpitopeError) {
            if let fence = try await store.takeWork(as: name) { return fence }
            onOther()
        } catch {
            if !Task.isCancelled { onFailure(error) }
        }
        return nil
    }

    private func hold(_ fence: WorkFence, _ work: @escaping @Sendable (CenterStore) async -> Void) async {
        store.counters.holdsWork.set(1)
        onChange(true)
        let held = store.holding(fence)
        await withTaskGroup { group in
            group.addTask { await work(held) }
            group.addTask { await keep(fence) }
            await group.next()
            // Whichever ended: none of this shift's steps may be under way when the next begins.
            group.cancelAll()
        }
        store.counters.holdsWork.set(0)
        store.counters.lanes.stop()
        // At the end of the center nothing has changed but that.
        if !Task.isCancelled { onChange(false) }
        // Where that fails, its time ends it.
        if !fence.isLost { try? await store.releaseWork(fence) }
    }

    /// Says again and again that this center has the work, until another has it or the task is cancelled.
    private func keep(_ fence: WorkFence) async {
        while !Task.isCancelled, !fence.isLost {
            try? await Task.sleep(for: Self.interval)
            guard !Task.isCancelled else { return }
            do throws(EpitopeError) {
                if try await !store.renewWork(fence) { fence.lose() }
            } catch {
                // The database may be out of reach for everybody.
                if !Task.isCancelled { onFailure(error) }
            }
        }
    }
}
