import cn.bif.api.BIFSDK;
import cn.bif.model.request.BIFBlockGetInfoRequest;
import cn.bif.model.request.BIFBlockGetLatestInfoRequest;
import cn.bif.model.request.BIFBlockGetLatestValidatorsRequest;
import cn.bif.model.request.BIFBlockGetNumberInfoRequest;
import cn.bif.model.request.BIFBlockGetTransactionsRequest;
import cn.bif.model.request.BIFBlockGetValidatorsRequest;
import cn.bif.module.blockchain.BIFBlockService;

/** Calls of the block service. */
final class Blocks {
    private static final long NOT_YET = 1L << 40;

    private Blocks() {}

    static void run(Session session) throws Exception {
        BIFBlockService blocks = session.sdk.getBIFBlockService();
        number(session, "block-number", session.domain);
        number(session, "block-number-unknown-domain", 99);
        latest(session, "block-latest");
        info(session, "block-genesis", 1L, true);
        info(session, "block-without-leader", 1L, false);
        info(session, "block-missing", NOT_YET, true);
        info(session, "block-zero", 0L, true);
        validators(session, "block-validators", 1L);
        validators(session, "block-validators-missing", NOT_YET);
        BIFBlockGetLatestValidatorsRequest request = new BIFBlockGetLatestValidatorsRequest();
        request.setDomainId(session.domain);
        session.say("block-latest-validators", blocks.getLatestValidators(request));
        transactions(session, "block-transactions-genesis", 1L);
        transactions(session, "block-transactions-zero", 0L);
    }

    /** Ends the session's use of the node: the SDK has one URL for everything. */
    static void unreachable(Session session) throws Exception {
        BIFSDK.getInstance(session.deadUrl);
        number(session, "unreachable", session.domain);
    }

    static void number(Session session, String step, int domain) throws Exception {
        BIFBlockGetNumberInfoRequest request = new BIFBlockGetNumberInfoRequest();
        request.setDomainId(domain);
        session.say(step, session.sdk.getBIFBlockService().getBlockNumber(request));
    }

    static void latest(Session session, String step) throws Exception {
        BIFBlockGetLatestInfoRequest request = new BIFBlockGetLatestInfoRequest();
        request.setDomainId(session.domain);
        session.say(step, session.sdk.getBIFBlockService().getBlockLatestInfo(request));
    }

    static void info(Session session, String step, long number, boolean leader) throws Exception {
        BIFBlockGetInfoRequest request = new BIFBlockGetInfoRequest();
        request.setBlockNumber(number);
        request.setWithLeader(leader);
        request.setDomainId(session.domain);
        session.say(step, session.sdk.getBIFBlockService().getBlockInfo(request));
    }

    static void transactions(Session session, String step, long number) throws Exception {
        BIFBlockGetTransactionsRequest request = new BIFBlockGetTransactionsRequest();
        request.setBlockNumber(number);
        request.setDomainId(session.domain);
        session.say(step, session.sdk.getBIFBlockService().getTransactions(request));
    }

    private static void validators(Session session, String step, long number) throws Exception {
        BIFBlockGetValidatorsRequest request = new BIFBlockGetValidatorsRequest();
        request.setBlockNumber(number);
        request.setDomainId(session.domain);
        session.say(step, session.sdk.getBIFBlockService().getValidators(request));
    }
}
