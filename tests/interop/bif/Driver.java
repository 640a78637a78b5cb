import java.util.HashMap;
import java.util.Map;

/**
 * Drives the official SDK of 星火·链网 through its public API, one JSON line a call.
 *
 * <p>Arguments are KEY=VALUE for each place, ended by "--"; see Session. What to expect is in
 * test_bif_java_sdk.py.
 */
public final class Driver {
    private Driver() {}

    public static void main(String[] arguments) throws Exception {
        Map<String, String> settings = new HashMap<>();
        for (String argument : arguments) {
            if (argument.equals("--")) {
                run(new Session(settings));
                settings.clear();
                continue;
            }
            String[] parts = argument.split("=", 2);
            settings.put(parts[0], parts[1]);
        }
    }

    private static void run(Session session) throws Exception {
        Keys.run(session);
        Blocks.run(session);
        Accounts.run(session);
        Transactions.run(session);
        Offline.run(session);
        Contracts.run(session);
        Blocks.unreachable(session);
    }
}
