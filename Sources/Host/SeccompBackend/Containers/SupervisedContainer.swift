// SPDX-License-Identifier: Apache-2.0

import BehaviourBlocking

/// The container whose calls a supervisor handles.
struct SupervisedContainer: Sendable {
    /// The process that its runtime started under the filter.
    let processID: Int32
    let reference: ContainerReference
    /// Its record for the next agent; `nil`: supervision ends with this process.
    let persisted: PersistedContainer?

    init(_ state: ContainerProcessState, persisted: PersistedContainer?) {
        processID = state.processID
        reference = ContainerReference(id: state.containerID, annotations: state.annotations)
        self.persisted = persisted
    }
}
