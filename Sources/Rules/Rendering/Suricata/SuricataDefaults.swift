// SPDX-License-Identifier: Apache-2.0

/// What Suricata 7 is set to as it is shipped, where its behaviour without any setting differs.
public enum SuricataDefaults {
    /// A configuration with the settings that decide what a rule sees of messages: without them it looks at 4 KiB of a body.
    public static let configuration = """
        %YAML 1.1
        ---
        app-layer:
          protocols:
            http:
              enabled: yes
              libhtp:
                default-config:
                  personality: IDS
                  request-body-limit: 100kb
                  response-body-limit: 100kb
                  request-body-minimal-inspect-size: 32kb
                  request-body-inspect-window: 4kb
                  response-body-minimal-inspect-size: 40kb
                  response-body-inspect-window: 16kb
            dns:
              enabled: yes

        """
}
